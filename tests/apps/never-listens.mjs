// Runs, and listens nowhere.
setInterval(() => {}, 1000);
