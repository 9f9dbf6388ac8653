// What a page does with an EventSource; Chromium and undici run the same lines.

export function watch(EventSource, url, tell) {
  const source = new EventSource(url);
  const tellMessage = ({ type, lastEventId, data }) => tell({ kind: "message", type, id: lastEventId, text: data });
  source.onopen = () => tell({ kind: "open" });
  source.onmessage = tellMessage;
  source.addEventListener("heartbeat", tellMessage);
  source.onerror = () => tell({ kind: source.readyState === EventSource.CLOSED ? "stopped" : "trouble" });
}
