# Sourced: how programs built with sanitizers can run on this machine.
# shellcheck shell=bash

# ASan needs what some machines refuse: LeakSanitizer traces its own process, and gcc 12's runtime
# cannot live with every address-space layout that newer kernels draw. Exports what the sanitizers
# read, and sets `without_aslr` to what such a program's command line has to begin with. $1: a
# directory for a moment's files.
sanitizers_prepare() {
    export ASAN_OPTIONS=${ASAN_OPTIONS:-abort_on_error=1}
    export UBSAN_OPTIONS=${UBSAN_OPTIONS:-print_stacktrace=1}
    without_aslr=()
    if setarch --addr-no-randomize true 2>/dev/null; then
        without_aslr=(setarch --addr-no-randomize)
    fi
    echo 'int main(void) { return 0; }' >"$1/probe.c"
    gcc -fsanitize=address -o "$1/probe" "$1/probe.c"
    if ! "${without_aslr[@]}" "$1/probe" 2>/dev/null; then
        export ASAN_OPTIONS=$ASAN_OPTIONS:detect_leaks=0
        echo 'tests: LeakSanitizer cannot run here (ptrace is refused): leaks are not looked for'
    fi
}
