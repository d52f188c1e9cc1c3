#include "worker/interrupt.h"

#include <limits.h>
#include <stddef.h>

static volatile sig_atomic_t signals_received;
static volatile sig_atomic_t reload_is_asked;

static void count_signal(int number)
{
    (void)number;
    if (signals_received < SCHAR_MAX) { /* all that a sig_atomic_t is sure to hold */
        signals_received = signals_received + 1;
    }
}

void interrupt_install(void)
{
    struct sigaction count = {.sa_handler = count_signal};
    struct sigaction ignore = {.sa_handler = SIG_IGN};
    (void)sigemptyset(&count.sa_mask);
    (void)sigemptyset(&ignore.sa_mask);
    (void)sigaction(SIGINT, &count, NULL);
    (void)sigaction(SIGTERM, &count, NULL);
    (void)sigaction(SIGPIPE, &ignore, NULL);
    (void)sigaction(SIGXFSZ, &ignore, NULL);
}

static void ask_reload(int number)
{
    (void)number;
    reload_is_asked = 1;
}

void interrupt_install_reload(void)
{
    struct sigaction ask = {.sa_handler = ask_reload};
    (void)sigemptyset(&ask.sa_mask);
    (void)sigaction(SIGHUP, &ask, NULL);
}

bool interrupt_take_reload(void)
{
    bool is_asked = reload_is_asked != 0;
    if (is_asked) {
        reload_is_asked = 0; /* before the work: one that comes meanwhile asks again */
    }
    return is_asked;
}

int interrupt_count(void)
{
    return signals_received;
}

void interrupt_block(sigset_t *before)
{
    sigset_t counted;
    (void)sigemptyset(&counted);
    (void)sigaddset(&counted, SIGINT);
    (void)sigaddset(&counted, SIGTERM);
    (void)sigaddset(&counted, SIGHUP);
    (void)pthread_sigmask(SIG_BLOCK, &counted, before);
}

void interrupt_unblock(const sigset_t *before)
{
    (void)pthread_sigmask(SIG_SETMASK, before, NULL);
}
