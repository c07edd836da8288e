#!/usr/bin/env bash
# Hold the contract of the HTTP API to the rules of .spectral-api.yaml, and to what was released of the same major version.
#
#   scripts/ci/validate-api-contract.sh [FILE]
#
# FILE is contracts/api.openapi.yaml unless another is named; contracts/released/ has the released one. Prints each fault.
# Exit code 0: all is well; 1: the contract is broken or breaks its callers; 2: the tools are not installed.
set -euo pipefail
root="$(cd "$(dirname "$0")/../.." && pwd)"
contract="$(realpath "${1:-$root/contracts/api.openapi.yaml}")"
spectral="$root/node_modules/.bin/spectral"
python="$root/.venv/bin/python"

if [[ ! -x "$spectral" || ! -x "$python" ]]; then
  echo "Spectral or Python is not installed. Install Node.js 20 or newer, then run: make setup node_modules/installed" >&2
  exit 2
fi

faults=0
fault() {
  echo "FAULT: $1" >&2
  faults=$((faults + 1))
}

"$spectral" lint --quiet --ruleset "$root/.spectral-api.yaml" --fail-severity=warn "$contract" ||
  fault "the contract of the API breaks the rules of .spectral-api.yaml"
(cd "$root" && "$python" -m seed_pipelines_tests.contracts.api_changes contracts/released/api.openapi.yaml "$contract") ||
  fault "the contract of the API breaks what was released under its major version"
((faults == 0)) || exit 1
echo "The contract of the API keeps its rules, and what was released."
