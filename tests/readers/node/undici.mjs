// undici's EventSource, which Node.js offers as its own.

import { EventSource } from "undici";
import { watch } from "./event_source.mjs";

export async function follow(url, tell) {
  // undici lets the process end while it waits to reconnect.
  const awake = setInterval(() => {}, 1_000_000);
  await new Promise((end) => {
    watch(EventSource, url, (told) => {
      tell(told);
      if (told.kind === "stopped") end();
    });
  });
  clearInterval(awake);
}
