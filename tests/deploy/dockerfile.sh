# Sourced: carries out a Dockerfile where there is no container engine. Each stage is a directory,
# a copy of one base root, that commands run in by chroot. Needs root, and jq.
#
# It knows what deploy/Dockerfile uses: FROM [AS], WORKDIR, COPY [--from], RUN, ENV, EXPOSE, USER,
# HEALTHCHECK, ENTRYPOINT and CMD in JSON; and a .dockerignore of the form *, !PATH, !PATH ... .
# Anything else is an error, so that nothing is left out by mistake.
# shellcheck shell=bash

# What the last stage says of a container.
image_root='' image_user='' image_env=() image_entrypoint=() image_command=() image_healthcheck=()

# The lines that tell, continued ones joined.
dockerfile_instructions() { # FILE
    sed -e ':join' -e '/\\$/N; s/\\\n//; t join' "$1" | grep -vE '^[[:space:]]*(#|$)'
}

# The build context: what .dockerignore lets through of a checkout.
dockerfile_context() { # CHECKOUT DESTINATION
    local paths
    mapfile -t paths < <(grep -vE '^(#|$)' "$1/.dockerignore")
    if [[ ${paths[0]} != '*' || ${paths[*]:1} == *[*?[]* ]]; then
        echo 'dockerfile: .dockerignore is not of the form *, !PATH, ...' >&2
        return 1
    fi
    paths=("${paths[@]:1}")
    mkdir -p "$2"
    tar -C "$1" -cf - "${paths[@]#!}" | tar -C "$2" -xf -
}

# Runs a command line in a root, as root, with the network of this machine.
dockerfile_run() { # ROOT DIRECTORY COMMAND-LINE
    unshare --mount bash -euc '
        root=$1 directory=$2
        mount -t proc proc "$root/proc"
        mkdir -p "$root/dev/shm"
        mount -t tmpfs -o mode=1777 tmpfs "$root/dev/shm"
        for file in /etc/resolv.conf /etc/hosts; do
            [[ ! -e $file ]] || { touch "$root$file" && mount --bind "$file" "$root$file"; }
        done
        exec chroot "$root" env -i PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin \
            HOME=/root "${@:4}" /bin/sh -c "cd $directory && $3"
    ' dockerfile "$1" "$2" "$3" "${image_env[@]}" </dev/null
}

dockerfile_copy() { # CONTEXT ROOT DIRECTORY SOURCE... DESTINATION
    local context=$1 root=$2 destination=${*: -1} source
    [[ $destination == /* ]] || destination=$3/$destination
    destination=$root/$destination
    [[ $destination != */ && $# == 5 ]] || mkdir -p "$destination"
    for source in "${@:4:$#-4}"; do
        [[ -e $context/$source ]] || { echo "dockerfile: COPY $source: no such file" >&2; return 1; }
        if [[ -d $context/$source ]]; then
            mkdir -p "$destination"
            source=$source/.
        fi
        cp -a --no-preserve=ownership "$context/$source" "$destination"
    done
}

# Leaves the stages in STAGES/NAME, the last one in `image_root`, and sets the other variables.
dockerfile_play() { # FILE CONTEXT BASE STAGES
    local file=$1 context=$2 base=$3 stages=$4 line word arguments directory from count=0
    while read -r word line; do
        printf 'dockerfile: %s %s\n' "$word" "$line"
        read -ra arguments <<<"$line"
        case $word in
        FROM)
            image_root=$stages/${arguments[2]:-stage-$((++count))}
            cp -a "$base" "$image_root" || return
            directory=/ image_user='' image_env=()
            image_entrypoint=() image_command=() image_healthcheck=()
            ;;
        WORKDIR)
            directory=$line
            mkdir -p "$image_root$directory" || return
            ;;
        COPY)
            from=$context
            if [[ ${arguments[0]} == --from=* ]]; then
                from=$stages/${arguments[0]#*=}
                arguments=("${arguments[@]:1}")
            fi
            dockerfile_copy "$from" "$image_root" "$directory" "${arguments[@]}" || return
            ;;
        RUN) dockerfile_run "$image_root" "$directory" "$line" || return ;;
        ENV) image_env+=("$line") ;;
        EXPOSE) ;;
        USER) image_user=$line ;;
        HEALTHCHECK) mapfile -t image_healthcheck < <(jq -r '.[]' <<<"${line##*CMD }") ;;
        ENTRYPOINT) mapfile -t image_entrypoint < <(jq -r '.[]' <<<"$line") ;;
        CMD) mapfile -t image_command < <(jq -r '.[]' <<<"$line") ;;
        *)
            echo "dockerfile: $file: '$word' is not known here" >&2
            return 1
            ;;
        esac
    done < <(dockerfile_instructions "$file")
}

# Becomes process 1 of a container from the image: read-only, its user, no capability, a process
# tree of its own, the network of the caller; with "$@" in the place of its command. It has no /tmp
# that it could write and sees none of this machine's files.
image_exec() { # [NAME=VALUE...] -- PROGRAM...
    local settings=()
    while [[ $1 != -- ]]; do
        settings+=("$1")
        shift
    done
    shift
    exec unshare --mount --pid --ipc --uts --fork --kill-child bash -euc '
        root=$1 user=$2
        mount --bind "$root" "$root"
        mount -o remount,bind,ro "$root"
        mount -t proc -o nosuid,nodev,noexec proc "$root/proc"
        exec chroot "$root" setpriv --reuid="${user%:*}" --regid="${user#*:}" --clear-groups \
            --no-new-privs --inh-caps=-all --bounding-set=-all env -i PATH=/usr/bin:/bin "${@:3}"
    ' image "$image_root" "$image_user" "${image_env[@]}" "${settings[@]}" "$@"
}
