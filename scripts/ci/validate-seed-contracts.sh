#!/usr/bin/env bash
# Hold the stubs of the outside systems to their contracts: OpenAPI, answers 2xx and 429 everywhere, and a pact for each.
#
#   scripts/ci/validate-seed-contracts.sh [FOLDER]
#
# FOLDER has stubs/*.openapi.yaml and pacts/*.json; by default it is contracts/. Prints each fault.
# Exit code 0: all is well; 1: a contract is missing or broken; 2: the tools are not installed.
set -euo pipefail
root="$(cd "$(dirname "$0")/../.." && pwd)"
contracts="$(cd "${1:-$root/contracts}" && pwd)"
tools="$root/node_modules/.bin"

# Pact -> the stub whose OpenAPI file it has to fit. The guard stands before all of them; its pact speaks of calls to kyc.
declare -A stub_of=(
  [kyc]=kyc
  [antifraude]=antifraude
  [pagamentos]=pagamentos
  [notificacoes]=notificacoes
  [financial-calculator]=financial-calculator
  [seed-data-outbound-block]=kyc
)

for tool in spectral openapi-pact-comparator; do
  if [[ ! -x "$tools/$tool" ]]; then
    echo "$tool is not installed. Install Node.js 20 or newer, then run: make node_modules/installed" >&2
    exit 2
  fi
done

faults=0
fault() {
  echo "FAULT: $1" >&2
  faults=$((faults + 1))
}

declare -A documents=()
pacts=()
for pact in "${!stub_of[@]}"; do
  document="$contracts/stubs/${stub_of[$pact]}.openapi.yaml"
  [[ -s "$document" ]] && documents[$document]=here || fault "stubs/${stub_of[$pact]}.openapi.yaml is missing or empty"
  [[ -s "$contracts/pacts/$pact.json" ]] && pacts+=("$contracts/pacts/$pact.json") || fault "pacts/$pact.json is missing or empty"
done
for found in "$contracts"/stubs/*.openapi.yaml "$contracts"/pacts/*.json; do
  name="$(basename "$found")"
  [[ -v "stub_of[${name%%.*}]" ]] || fault "$name is not among the contracts that this script holds together"
done
((faults == 0)) || exit 1

"$tools/spectral" lint --quiet --ruleset "$root/.spectral.yaml" --fail-severity=warn "${!documents[@]}" ||
  fault "the OpenAPI files of the stubs break the rules of .spectral.yaml"
"$tools/spectral" lint --quiet --ruleset "$root/.spectral-pacts.yaml" --fail-severity=warn "${pacts[@]}" ||
  fault "the pacts break the rules of .spectral-pacts.yaml"
for pact in "${!stub_of[@]}"; do
  said="$("$tools/openapi-pact-comparator" "$contracts/stubs/${stub_of[$pact]}.openapi.yaml" "$contracts/pacts/$pact.json" 2>&1)" ||
    fault "pacts/$pact.json does not fit stubs/${stub_of[$pact]}.openapi.yaml: $said"
done
((faults == 0)) || exit 1
echo "${#pacts[@]} pacts fit their stubs; every operation answers with 2xx and 429."
