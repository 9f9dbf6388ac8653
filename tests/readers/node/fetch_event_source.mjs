// @microsoft/fetch-event-source, used as its README asks for: it tries again only when it is told to by an exception.

import { createRequire } from "node:module";

// A library for pages; outside of one it misses these two.
globalThis.window = globalThis;
globalThis.document = { addEventListener() {}, removeEventListener() {}, hidden: false };
const { fetchEventSource } = createRequire(import.meta.url)("@microsoft/fetch-event-source");

class Final extends Error {}

export async function follow(url, tell) {
  await fetchEventSource(url, {
    openWhenHidden: true,
    async onopen({ status }) {
      if (status !== 200) {
        tell({ kind: "stopped", status });
        throw new Final();
      }
      tell({ kind: "open" });
    },
    onmessage: (message) => tellMessage(message, tell),
    onclose() {
      throw new Error("The stream ended; only 204 says that the job did.");
    },
    onerror(error) {
      if (error instanceof Final) throw error;
      tell({ kind: "trouble" });
    },
  }).catch((error) => {
    if (!(error instanceof Final)) throw error;
  });
}

// Gives the id with which it comes back after these pieces.
export async function readPieces(pieces, tell) {
  let requests = 0;
  let cursor = "";
  await fetchEventSource("http://nowhere", {
    openWhenHidden: true,
    async fetch(_, { headers }) {
      cursor = headers["last-event-id"] ?? "";
      if (++requests === 2) throw new Final();
      return new Response(ReadableStream.from(pieces), { headers: { "content-type": "text/event-stream" } });
    },
    onmessage: (message) => tellMessage(message, tell),
    onclose() {
      throw new Error("cut");
    },
    onerror(error) {
      if (error instanceof Final) throw error;
      return 0;
    },
  }).catch((error) => {
    if (!(error instanceof Final)) throw error;
  });
  return cursor;
}

function tellMessage({ event, id, data }, tell) {
  tell({ kind: "message", type: event || "message", id, text: data });
}
