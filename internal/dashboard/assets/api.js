// What the page asks of the API, and how it shows who asks.

const keyName = "cartwheel-key";

// Problem is an answer that is an error, with its status and what the API says about it.
export class Problem extends Error {
  constructor(status, detail) {
    super(detail);
    this.status = status;
  }
}

export const key = {
  get: () => sessionStorage.getItem(keyName) ?? "",
  set: (value) => sessionStorage.setItem(keyName, value),
};

// wanted is called when the API wants a key, or another one; app.js shows the field.
export const hooks = { keyWanted() {}, keyAccepted() {} };

async function ask(path, { method = "GET", body, signal, as } = {}) {
  const headers = {};
  const secret = as ?? key.get();
  if (secret) headers.Authorization = `Bearer ${secret}`;
  if (body !== undefined) headers["Content-Type"] = "application/json";
  let response;
  try {
    response = await fetch(path, { method, headers, signal, body: body === undefined ? undefined : JSON.stringify(body), cache: "no-store" });
  } catch (error) {
    if (error.name === "AbortError") throw error;
    throw new Problem(0, "the API does not answer");
  }
  if (!response.ok) {
    const problem = await response.json().catch(() => ({}));
    if (response.status === 401 && as === undefined) hooks.keyWanted(secret !== "");
    throw new Problem(response.status, problem.detail ?? `status ${response.status}`);
  }
  if (as === undefined) hooks.keyAccepted();
  return response;
}

export const get = async (path, signal) => (await ask(path, { signal })).json();
export const post = async (path, body, signal) => (await ask(path, { method: "POST", body, signal })).json();

// act asks with a key of its own, which is used once and kept nowhere. Without one it asks as the page does.
export const act = async (path, secret) => (await ask(path, { method: "POST", as: secret || undefined })).json();

// stream reads server-sent events until the signal or the server ends it. EventSource cannot send a key, so this reads them itself.
export async function stream(path, signal, see) {
  const response = await ask(path, { signal });
  const reader = response.body.pipeThrough(new TextDecoderStream()).getReader();
  let text = "";
  for (;;) {
    const { value, done } = await reader.read();
    if (done) return;
    text += value;
    let end;
    while ((end = text.indexOf("\n\n")) >= 0) {
      const fields = Object.fromEntries(text.slice(0, end).split("\n").filter((line) => !line.startsWith(":"))
        .map((line) => [line.slice(0, line.indexOf(":")), line.slice(line.indexOf(":") + 2)]));
      text = text.slice(end + 2);
      if (fields.event) see(fields.event, fields.data);
    }
  }
}
