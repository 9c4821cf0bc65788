/* Reset code: all of it in machine mode, interrupts masked. */
#include <stdint.h>

#include "ek_port.h"
#include "oracle.h"
#include "registers.h"

extern uint32_t ek_oracle_request[];
extern uint32_t ek_weights_load[], ek_weights_start[], ek_weights_end[];
extern uint32_t ek_data_load[], ek_data_start[], ek_data_end[], ek_bss_start[], ek_bss_end[];

__attribute__((noreturn)) void Reset_Handler(void);
__attribute__((noreturn)) void ek_fault(void);
__attribute__((noreturn, used)) void ek_start(void);

__attribute__((naked, section(".vectors"))) void Reset_Handler(void)
{
    __asm volatile(".option push\n"
                   ".option norelax\n"
                   "la sp, ek_stack_top\n"
                   "la t0, ek_fault\n"
                   "csrw mtvec, t0\n"
                   "csrw mie, zero\n"
                   "j ek_start\n"
                   ".option pop");
}

void ek_start(void)
{
    uint32_t *to = ek_data_start;
    const uint32_t *from = ek_data_load;

    while (to < ek_data_end) {
        *to++ = *from++;
    }
    from = ek_weights_load;
    for (to = ek_weights_start; to < ek_weights_end; to++) {
        *to = *from++;
    }
    for (to = ek_bss_start; to < ek_bss_end; to++) {
        *to = 0;
    }
    if (*(volatile uint32_t *)ek_oracle_request == EK_ORACLE_MAGIC) {
        ek_oracle_main();
    }
    ek_app_main();
    for (;;) {
    }
}

/* A fault restarts the board: HELLO then shows one more boot. */
__attribute__((aligned(4))) void ek_fault(void)
{
    TEST_FINISHER = TEST_RESET;
    for (;;) {
    }
}
