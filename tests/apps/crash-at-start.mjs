// Cannot start, says why, and ends.
console.error('the database of horses is missing');
process.exit(3);
