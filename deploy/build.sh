# Sourced: where to build, and how to build quietly. Expects `root`, the checkout's directory.
# shellcheck shell=bash

build_targets=()

# Takes a build directory for this process alone and sets `build_dir`: build-NAME in the checkout
# (build for no name), or the first of build-NAME-2, -3, ... that no other run has. Where the
# checkout cannot be written, or its directories belong to someone else: $1/build, which the caller
# removes. The lock lasts until build_release, or the process's end.
build_claim() {
    local private=$1 base=$root/build${2:+-$2} number
    for number in 1 2 3 4; do
        build_dir=$base
        ((number == 1)) || build_dir=$base-$number
        build_can_use "$build_dir" || break
        exec {build_lock}>"$build_dir/.lock"
        flock --nonblock "$build_lock" && return
        exec {build_lock}>&-
    done
    build_dir=$private/build
    mkdir -p "$build_dir"
    exec {build_lock}>"$build_dir/.lock"
}

build_release() {
    exec {build_lock}>&-
}

# A directory all of which we can write to, and that CMake configured, if at all, for this checkout.
build_can_use() {
    local cache=$1/CMakeCache.txt
    mkdir -p "$1" 2>/dev/null && [[ -z $(find "$1" ! -writable -print -quit) ]] || return
    [[ ! -e $cache ]] || grep -qxF "CMAKE_HOME_DIRECTORY:INTERNAL=$root" "$cache"
}

# Configures (with "$@") and builds `build_dir`, all of it or the `build_targets` that are set; what
# the tools say is shown if they fail.
build_run() {
    local log=$build_dir/build.log target=()
    ((${#build_targets[@]} == 0)) || target=(--target "${build_targets[@]}")
    if ! { cmake -S "$root" -B "$build_dir" "$@" &&
        cmake --build "$build_dir" --parallel 2 "${target[@]}"; } >"$log" 2>&1 </dev/null; then
        tail -n 100 "$log" >&2
        echo "build: failed in $build_dir; all of it is in $log" >&2
        return 1
    fi
}
