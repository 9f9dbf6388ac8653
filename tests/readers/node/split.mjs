// Reads the bytes of a whole stream from the standard input: split in two at each place, byte by byte, and cut off at each
// place. node split.mjs <reader> prints the messages, the splits after which they were others, and the cuts after which
// the reader comes back with the id of an event that it has not told.

import { buffer } from "node:stream/consumers";

const [reader] = process.argv.slice(2);
const { readPieces } = await import(`./${reader}.mjs`);

async function read(pieces) {
  const messages = [];
  const cursor = await readPieces(pieces, (message) => messages.push(message));
  return { messages, cursor };
}

const bytes = new Uint8Array(await buffer(process.stdin));
const { messages } = await read([bytes]);
const isWhole = async (pieces) => JSON.stringify((await read(pieces)).messages) === JSON.stringify(messages);

const wrong = [];
const ahead = [];
for (let place = 1; place < bytes.length; place++) {
  if (!(await isWhole([bytes.slice(0, place), bytes.slice(place)]))) wrong.push(place);
  const before = await read([bytes.slice(0, place)]);
  if (before.cursor !== (before.messages.findLast(({ id }) => id)?.id ?? "")) ahead.push(place);
}
if (!(await isWhole(Array.from(bytes, (byte) => Uint8Array.of(byte))))) wrong.push("each byte");
console.log(JSON.stringify({ messages, wrong, ahead }));
