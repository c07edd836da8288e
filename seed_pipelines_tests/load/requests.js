// What the scripts have in common: where the server is, whose token is sent, and the manifests of the file that they are given.

import exec from "k6/execution";
import http from "k6/http";
import { SharedArray } from "k6/data";
import { check } from "k6";

const test = JSON.parse(open(__ENV.LOAD_FILE));

/** Texts of sealed manifests of one tenant, each with content of its own; the first is the deployed one. */
export const manifests = new SharedArray("manifests", () => test.manifests);

http.setResponseCallback(http.expectedStatuses(200, 201, 409));

/** A request that sends a manifest under a key, as `http.batch` takes it. */
export function request(path, key, body) {
  const headers = {
    Authorization: `Bearer ${test.token}`,
    "X-Tenant-ID": test.tenant,
    "X-Environment": test.environment,
    "Content-Type": "application/json",
    "Idempotency-Key": key,
  };
  return ["POST", `${test.address}${path}`, body, { headers, tags: { name: path } }];
}

/** The response to a manifest that is sent under a key. */
export function send(path, key, body) {
  return http.request(...request(path, key, body));
}

/** A key that no other request has: by the test, the virtual user, its iteration, and what it is for. */
export function ownKey(purpose) {
  return `${test.run}-${purpose}-${__VU}-${__ITER}`;
}

/** The manifest of an iteration: all of them are sent, in their order, before the first comes again. */
export function anyManifest() {
  return manifests[exec.scenario.iterationInTest % manifests.length];
}

/** Whether a response was given before under its key. */
export function isRepeated(response) {
  return response.headers["Idempotency-Replayed"] === "true";
}

/** A first answer: of a status, as JSON, and not a repeated one. */
export function checkFirst(response, status) {
  check(response, {
    "a new key is answered": (r) => r.status === status,
    "a new key is not a repeated one": (r) => !isRepeated(r),
  });
}

/** The answer to a key that has been answered with these bytes. */
export function checkRepeated(response, body) {
  check(response, {
    "a repeated key gets the same bytes": (r) => r.status < 300 && r.body === body,
    "a repeated answer says so": isRepeated,
  });
}

/** The answer to another manifest under a key that has been answered. */
export function checkConflict(response) {
  check(response, {
    "a key stands for one manifest": (r) => r.status === 409 && r.json("code") === "idempotency_conflict",
  });
}

/** The answers to requests that were sent at once under one key: one is new, the others repeat it or say when to ask again. */
export function checkAtOnce(responses) {
  const answers = responses.filter((r) => r.status < 300);
  const waiting = responses.filter((r) => r.status === 409);
  check(responses, {
    "one of the requests at once is worked on": () => answers.filter((r) => !isRepeated(r)).length === 1,
    "all requests at once get the same bytes": () => answers.every((r) => r.body === answers[0].body),
    "whoever cannot wait is told when to ask again": () =>
      answers.length + waiting.length === responses.length &&
      waiting.every((r) => r.json("code") === "idempotency_in_progress" && Number(r.headers["Retry-After"]) >= 1),
  });
}

/** Options: so many virtual users for so long; every check holds, no request fails and, if times count, they are short. */
export function options(p99Milliseconds) {
  const thresholds = { checks: ["rate==1"], http_req_failed: ["rate==0"], iterations: ["count>0"] };
  if (test.times_count) {
    thresholds.http_req_duration = [`p(99)<${p99Milliseconds}`];
  }
  return {
    scenarios: { load: { executor: "constant-vus", vus: test.users, duration: test.duration, gracefulStop: "60s" } },
    summaryTrendStats: ["med", "p(95)", "p(99)", "max"],
    thresholds,
  };
}
