// One path, one manifest after the other, each under a key of its own: what the benchmark of the API counts.

import { check } from "k6";

import * as load from "./requests.js";

export const options = {
  ...load.options(0),
  discardResponseBodies: true,
};

export default function () {
  const response = load.send(__ENV.LOAD_PATH, load.ownKey("throughput"), load.anyManifest());
  check(response, { "it is answered": (r) => r.status === 200 && !load.isRepeated(r) });
}
