// Follows a stream until its reader stops: node follow.mjs <reader> <url>. Prints what the reader tells, a line each.

const [reader, url] = process.argv.slice(2);
const { follow } = await import(`./${reader}.mjs`);

await follow(url, (told) => console.log(JSON.stringify({ ...told, at_ms: performance.now() })));
