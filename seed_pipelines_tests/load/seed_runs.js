// POST /api/v1/seed-runs: runs of the deployed manifest, the same key again, one for another manifest, and one for requests at once.

import http from "k6/http";
import { check } from "k6";

import * as load from "./requests.js";

const PATH = "/api/v1/seed-runs";
const P99_MILLISECONDS = 5000;

export const options = load.options(P99_MILLISECONDS);

export default function () {
  const key = load.ownKey("run");
  const deployed = load.manifests[0];

  const first = load.send(PATH, key, deployed);
  load.checkFirst(first, 201);
  check(first, {
    "the run is in the queue": (r) => r.json("status") === "queued" && r.json("idempotency_key") === key,
    "the run has a place": (r) => r.headers.Location === `${PATH}/${r.json("id")}`,
  });
  load.checkRepeated(load.send(PATH, key, deployed), first.body);
  load.checkConflict(load.send(PATH, key, `{"another": "${key}"}`));

  const together = load.request(PATH, load.ownKey("together"), deployed);
  load.checkAtOnce(http.batch([together, together, together]));
}
