const express = require('express');

const app = express();

app.get('/', (request, response) => {
  response.send(`The shop, in ${app.get('env')}\n`);
});

app.post('/sum', express.json(), (request, response) => {
  response.json({ sum: request.body.reduce((total, number) => total + number, 0) });
});

const server = app.listen(process.env.PORT);
process.on('SIGTERM', () => server.close());
