# Sourced: which Debian packages this project needs, and how to install the ones that are missing.
#
#     packages_ensure build redis
#
# installs nothing, asks for nothing and needs no network where everything is there. Debian 12 and
# 13 differ in one name: "a|b" takes either, and installs the first that the system's apt offers.
# shellcheck shell=bash

packages_of_group() {
    case $1 in
    build)
        echo gcc libc6-dev cmake make pkg-config librdkafka-dev 'libmsgpack-c-dev|libmsgpack-dev' \
            libhiredis-dev libxxhash-dev libinih-dev libjansson-dev libmicrohttpd-dev \
            libssl-dev
        ;;
    # What the built program needs: deploy/Dockerfile.
    runtime)
        echo librdkafka1 'libmsgpack-c2|libmsgpackc2' 'libhiredis1.1.0|libhiredis0.14' libxxhash0 \
            libinih1 libjansson4 'libmicrohttpd12t64|libmicrohttpd12' 'libssl3t64|libssl3' \
            ca-certificates
        ;;
    redis) echo redis-server ;;
    demo) echo jq ;;
    # What tests/kafka/broker runs on. Java 17 or later: Debian 12 has 17, Debian 13 has 21.
    kafka) echo 'default-jre-headless|openjdk-17-jre-headless' maven ;;
    tests)
        echo libcriterion-dev python3 python3-msgpack python3-yaml python3-venv python3-confluent-kafka \
            prometheus systemd openssl jq
        ;;
    page) echo chromium ;; # tests/page/check
    lint) echo git clang clang-format clang-tidy ;;
    guard) echo valgrind ;; # tests/bench/instructions/check
    fuzz) echo clang 'libclang-rt-14-dev|libclang-rt-19-dev' ;; # tests/fuzz/run, beside tests
    coverage) echo gcovr ;; # tests/run --coverage, beside tests
    bench) echo gnuplot-nox python3-redis python3-hiredis ;; # tests/bench/run, beside tests
    image) echo debootstrap iproute2 jq ;; # tests/deploy/image, beside redis
    *)
        echo "packages: there is no group '$1'; known: build redis demo kafka tests page lint" \
            'guard fuzz coverage bench image' >&2
        return 64
        ;;
    esac
}

packages_is_installed() {
    [[ $(dpkg-query --show --showformat='${db:Status-Status}' "$1" 2>/dev/null) == installed ]]
}

# Prints what is missing of the given groups, alternatives still joined by '|'.
packages_missing() {
    local group wanted package
    for group in "$@"; do
        wanted=$(packages_of_group "$group") || return
        for package in $wanted; do
            packages_is_installed "${package%%|*}" || packages_is_installed "${package##*|}" ||
                echo "$package"
        done
    done
}

# Runs as root: updates apt's lists and installs "$@". The lock makes two runs wait for each other;
# policy-rc.d, if there is none yet, keeps Debian from starting redis-server's own service. What is
# installed already is neither upgraded nor restarted.
packages_install_as_root() {
    local policy=/usr/sbin/policy-rc.d name alternative names=()
    exec 9>/run/scenesync-packages.lock
    flock 9
    apt-get update -q || echo 'packages: apt-get update failed; trying with the lists at hand' >&2
    for name in "$@"; do
        for alternative in ${name//|/ }; do
            apt-cache show "$alternative" >/dev/null 2>&1 && break
        done
        names+=("$alternative")
    done
    if [[ ! -e $policy ]]; then
        trap 'rm -f /usr/sbin/policy-rc.d' EXIT
        printf '#!/bin/sh\nexit 101\n' >"$policy"
        chmod 755 "$policy"
    fi
    DEBIAN_FRONTEND=noninteractive apt-get install -q -y --no-install-recommends --no-upgrade \
        -o DPkg::Lock::Timeout=600 "${names[@]}"
}

packages_ensure() {
    local missing as_root=() log
    missing=$(packages_missing "$@") || return
    if [[ -z $missing ]]; then
        return 0
    fi
    missing=${missing//$'\n'/ }
    if ! command -v apt-get >/dev/null; then
        echo "packages: no apt-get here; install what Debian calls ${missing//|/ or }" >&2
        return 69
    fi
    if ((EUID != 0)); then
        if ! command -v sudo >/dev/null; then
            echo "packages: missing: ${missing//|/ or }; installing takes root, and there is no" \
                "sudo: run this as root once, or have root install them" >&2
            return 69
        fi
        as_root=(sudo)
    fi
    echo "packages: installing with apt: ${missing//|/ or }" >&2
    log=$(mktemp) || return
    # shellcheck disable=SC2086  # one word per package
    if ! "${as_root[@]}" bash -c "$(declare -f packages_install_as_root)
        packages_install_as_root \"\$@\"" packages $missing >"$log" 2>&1 </dev/null; then
        cat "$log" >&2
        rm -f "$log"
        echo "packages: apt-get could not install: $missing" >&2
        return 69
    fi
    rm -f "$log"
}
