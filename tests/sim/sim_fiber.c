#include "tests/sim/sim_fiber.h"

#include <assert.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <ucontext.h>

#if defined(__SANITIZE_ADDRESS__)
#define SIM_HAS_ADDRESS_SANITIZER 1
#elif defined(__has_feature)
#if __has_feature(address_sanitizer)
#define SIM_HAS_ADDRESS_SANITIZER 1
#endif
#endif
#ifdef SIM_HAS_ADDRESS_SANITIZER
#include <sanitizer/common_interface_defs.h>
#endif

enum { STACK_BYTES = 1 << 20, GUARD_BYTES = 1 << 16 };

struct sim_fiber {
    ucontext_t own, resumer;
    void (*run)(void *context);
    void *context;
    uint8_t *mapping; /* a guard, then the stack */
    bool has_ended;
    /* AddressSanitizer's notion of the stacks. */
    void *own_fake_stack, *resumer_fake_stack;
    const void *resumer_stack;
    size_t resumer_stack_bytes;
};

/* AddressSanitizer has to be told before and after each switch; NULL: the stack that is left is
 * left for good. */
static void begin_switch(void **fake_stack, const void *stack, size_t bytes)
{
#ifdef SIM_HAS_ADDRESS_SANITIZER
    __sanitizer_start_switch_fiber(fake_stack, stack, bytes);
#else
    (void)fake_stack;
    (void)stack;
    (void)bytes;
#endif
}

static void end_switch(void *fake_stack, const void **stack, size_t *bytes)
{
#ifdef SIM_HAS_ADDRESS_SANITIZER
    __sanitizer_finish_switch_fiber(fake_stack, stack, bytes);
#else
    (void)fake_stack;
    (void)stack;
    (void)bytes;
#endif
}

/* makecontext() passes ints: the pointer comes in two halves. */
static void enter(unsigned high, unsigned low)
{
    uintptr_t address = (uintptr_t)(((uint64_t)high << 32) | low);
    struct sim_fiber *fiber = (struct sim_fiber *)address;
    end_switch(NULL, &fiber->resumer_stack, &fiber->resumer_stack_bytes);
    fiber->run(fiber->context);
    fiber->has_ended = true;
    begin_switch(NULL, fiber->resumer_stack, fiber->resumer_stack_bytes);
    (void)setcontext(&fiber->resumer);
    abort(); /* it does not return */
}

struct sim_fiber *sim_fiber_create(void (*run)(void *context), void *context)
{
    struct sim_fiber *fiber = calloc(1, sizeof *fiber);
    assert(fiber != NULL);
    fiber->run = run;
    fiber->context = context;
    fiber->mapping = mmap(NULL, GUARD_BYTES + STACK_BYTES, PROT_READ | PROT_WRITE,
                          MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    assert(fiber->mapping != MAP_FAILED);
    int failed = mprotect(fiber->mapping, GUARD_BYTES, PROT_NONE);
    assert(failed == 0 && getcontext(&fiber->own) == 0);
    (void)failed;
    fiber->own.uc_stack.ss_sp = fiber->mapping + GUARD_BYTES;
    fiber->own.uc_stack.ss_size = STACK_BYTES;
    fiber->own.uc_link = NULL;
    uint64_t address = (uint64_t)(uintptr_t)fiber;
    makecontext(&fiber->own, (void (*)(void))enter, 2, (unsigned)(address >> 32),
                (unsigned)address);
    return fiber;
}

void sim_fiber_destroy(struct sim_fiber *fiber)
{
    if (fiber != NULL) {
        assert(fiber->has_ended);
        (void)munmap(fiber->mapping, GUARD_BYTES + STACK_BYTES);
        free(fiber);
    }
}

void sim_fiber_resume(struct sim_fiber *fiber)
{
    assert(!fiber->has_ended);
    begin_switch(&fiber->resumer_fake_stack, fiber->mapping + GUARD_BYTES, STACK_BYTES);
    (void)swapcontext(&fiber->resumer, &fiber->own);
    end_switch(fiber->resumer_fake_stack, NULL, NULL);
}

void sim_fiber_yield(struct sim_fiber *fiber)
{
    begin_switch(&fiber->own_fake_stack, fiber->resumer_stack, fiber->resumer_stack_bytes);
    (void)swapcontext(&fiber->own, &fiber->resumer);
    end_switch(fiber->own_fake_stack, &fiber->resumer_stack, &fiber->resumer_stack_bytes);
}

bool sim_fiber_has_ended(const struct sim_fiber *fiber)
{
    return fiber->has_ended;
}
