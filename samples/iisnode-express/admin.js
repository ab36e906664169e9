const express = require('express');

const app = express();

// The application sees the whole URL, not what the rule made of it.
app.get('/admin/:page', (request, response) => {
  response.send(`The ${request.params.page} of the admin\n`);
});

const server = app.listen(process.env.PORT);
process.on('SIGTERM', () => server.close());
