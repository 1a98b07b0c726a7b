// The moments of the service. fetch() and not EventSource: that sends no token but in a URL.

const PAUSE_MS = { first: 500, last: 5000 };

let token = "";
let current = new AbortController();

/** The headers by which a request may do what needs the token. It is kept in this variable and nowhere else. */
export const allowed = () => (token ? { authorization: `Bearer ${token}` } : {});

/** Uses another token from now on. */
export function use(text) {
  token = text;
  current.abort();
}

/** Calls `told` with each moment, and `state` with a sentence whenever the connection comes or goes. */
export async function watch(told, state) {
  for (let pause = PAUSE_MS.first; ; pause = Math.min(pause * 2, PAUSE_MS.last)) {
    current = new AbortController();
    try {
      const answer = await fetch("/events", { headers: allowed(), signal: current.signal, cache: "no-store" });
      if (!answer.ok) throw new Error((await answer.json()).detail);
      state("Live", true);
      for await (const moment of moments(answer.body)) {
        pause = PAUSE_MS.first;
        told(moment);
      }
      state("The service has ended the connection. Trying again…", false);
    } catch (error) {
      if (current.signal.aborted) continue;
      const why = error instanceof TypeError ? "The service does not answer." : error.message;
      state(`${why} Trying again…`, false);
    }
    await new Promise((done) => setTimeout(done, pause));
  }
}

async function* moments(body) {
  const reader = body.pipeThrough(new TextDecoderStream()).getReader();
  for (let text = ""; ; ) {
    const { value, done } = await reader.read();
    if (done) return;
    const events = (text + value).split("\n\n");
    text = events.pop();
    for (const event of events) {
      if (event.startsWith("data: ")) yield JSON.parse(event.slice(6));
    }
  }
}
