// README.md shows this: a job followed by a native EventSource, where the gateway asks who calls.
// `ask(jobId)` gives a promise of a ticket; `tell(message)` gets each message, with its id.
export async function follow(path, ask, tell, last = "0-0") {
  const jobId = path.split("/").pop();
  const source = new EventSource(`${path}/stream?last_event_id=${last}&ticket=${await ask(jobId)}`);
  source.onmessage = ({ data, lastEventId }) => {
    const message = JSON.parse(data);
    last = lastEventId || last;
    if (message.reason === "ticket_expired") {
      source.close();
      follow(path, ask, tell, last);
    }
    if (["completed", "error", "cancelled"].includes(message.type)) source.close();
    tell({ id: last, ...message });
  };
  source.onerror = () => source.readyState === EventSource.CLOSED && tell({ type: "closed" });
}
