// fetch and eventsource-parser: the loop that whoever writes a client around a parser writes.

import { setTimeout as sleep } from "node:timers/promises";
import { createParser } from "eventsource-parser";

export async function follow(url, tell) {
  const place = { cursor: undefined, retryMs: 1000 };
  for (;;) {
    try {
      const headers = { accept: "text/event-stream" };
      if (place.cursor) headers["last-event-id"] = place.cursor;
      const response = await fetch(url, { headers });
      if (response.status !== 200) {
        tell({ kind: "stopped", status: response.status });
        return;
      }
      tell({ kind: "open" });
      await parse(response.body, place, tell);
    } catch (error) {
      if (!isCut(error)) throw error;
    }
    tell({ kind: "trouble" });
    await sleep(place.retryMs);
  }
}

// Gives the id with which it comes back after these pieces.
export async function readPieces(pieces, tell) {
  const place = {};
  await parse(pieces, place, tell);
  return place.cursor ?? "";
}

async function parse(pieces, place, tell) {
  const parser = createParser({
    onEvent({ event, id, data }) {
      place.cursor = id ?? place.cursor;
      tell({ kind: "message", type: event ?? "message", id: id ?? "", text: data });
    },
    onRetry(retryMs) {
      place.retryMs = retryMs;
    },
  });
  const decoder = new TextDecoder();
  for await (const piece of pieces) parser.feed(decoder.decode(piece, { stream: true }));
}

// fetch throws a TypeError for a connection that was refused, and for one that was cut.
function isCut(error) {
  return error instanceof TypeError && error.cause !== undefined;
}
