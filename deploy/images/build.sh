#!/bin/sh
# Build broadcast-api, broadcast-dispatcher and broadcast-revoker: REGISTRY (localhost), TAG (latest), ENGINE (what is found), BASE.
set -eu
cd "$(dirname "$0")/../.."
engine="${ENGINE:-$(command -v docker || command -v podman || command -v buildah || true)}"
[ -n "$engine" ] || { echo "no container engine: install docker, podman or buildah, or name one in ENGINE" >&2; exit 1; }
for target in api dispatcher revoker; do
    name="${REGISTRY:-localhost}/broadcast-$target:${TAG:-latest}"
    # buildah's own default format forgets HEALTHCHECK; docker knows no such option
    case "$engine" in *docker*) format="" ;; *) format="--format=docker" ;; esac
    # shellcheck disable=SC2086 # BUILD_OPTIONS and format are lists of words
    "$engine" build $format ${BUILD_OPTIONS:-} ${BASE:+--build-arg "BASE=$BASE"} \
        --file deploy/images/Dockerfile --target "$target" --tag "$name" .
    echo "$name"
done
