// The one connection to the lab that all tabs share: each is told everything, and a new tab what is known already.

const ports = new Set();
let runs = null;

function tell(news) {
  for (const port of ports) port.postMessage(news);
}

function remember(news) {
  if (news.event === "runs") runs = new Map(news.runs.map((run) => [run.name, run]));
  else if (news.event === "run") runs?.set(news.run.name, news.run);
  else if (news.event === "gone") runs?.delete(news.name);
}

let stream;

function connect() {
  stream = new EventSource("/events");
  stream.onmessage = ({ data }) => {
    const news = JSON.parse(data);
    remember(news);
    tell(news);
  };
  stream.onerror = () => {
    tell({ event: "lost" });
    runs = null;
    // A browser gives up where the answer is a refusal; the lab may be back a second later.
    if (stream.readyState === EventSource.CLOSED) setTimeout(connect, 500);
  };
}

onconnect = ({ ports: [port] }) => {
  ports.add(port);
  port.onmessage = ({ data }) => data === "leave" && ports.delete(port);
  port.start();
  if (stream === undefined) connect();
  else if (runs !== null) port.postMessage({ event: "runs", runs: [...runs.values()] });
};
