// POST /api/v1/seed-profiles/validate: new keys, repeated ones, one for another manifest, and one for requests at once.

import http from "k6/http";
import { check } from "k6";

import * as load from "./requests.js";

const PATH = "/api/v1/seed-profiles/validate";
const P99_MILLISECONDS = 500;

export const options = load.options(P99_MILLISECONDS);

export default function () {
  const key = load.ownKey("validate");
  const manifest = load.anyManifest();

  const first = load.send(PATH, key, manifest);
  load.checkFirst(first, 200);
  check(first, {
    "the manifest is valid": (r) =>
      r.json("valid") === true && r.json("manifest_hash") === JSON.parse(manifest).integrity.manifest_hash,
  });
  load.checkRepeated(load.send(PATH, key, manifest), first.body);
  load.checkConflict(load.send(PATH, key, `{"another": "${key}"}`));

  const together = load.request(PATH, load.ownKey("together"), manifest);
  load.checkAtOnce(http.batch([together, together, together, together]));
}
