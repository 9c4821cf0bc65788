/* Vector table and reset code of a Cortex-M. No interrupt is ever taken: PRIMASK stays set.
 *
 * Included by a port's startup.c alone, which first defines
 *   static void start_counter(void)   starts the counter of core cycles: the cold start counts
 *   static void enter(void)           goes to the application, after memory is set up
 */
#ifndef EK_STARTUP_H
#define EK_STARTUP_H

#include <stdint.h>

#define EK_SCB_CPACR (*(volatile uint32_t *)0xE000ED88u)
#define EK_SCB_CCR (*(volatile uint32_t *)0xE000ED14u)
#define EK_SCB_AIRCR (*(volatile uint32_t *)0xE000ED0Cu)

extern uint32_t ek_weights_load[], ek_weights_start[], ek_weights_end[];
extern uint32_t ek_stack_top[], ek_data_load[], ek_data_start[], ek_data_end[], ek_bss_start[],
    ek_bss_end[];

__attribute__((noreturn)) void Reset_Handler(void);
__attribute__((noreturn)) void ek_fault(void);

void Reset_Handler(void)
{
    uint32_t *to = ek_data_start;
    const uint32_t *from = ek_data_load;

#if __ARM_ARCH >= 7
    EK_SCB_CPACR |= 0xFu << 20; /* CP10 and CP11: FPU and MVE, before any code that may use it */
#endif
#ifdef __ARM_FEATURE_MVE
    EK_SCB_CCR |= 1u << 19; /* LOB: low-overhead loops, which vector code is made of */
#endif
    __asm volatile("dsb\n isb\n cpsid i" ::: "memory");
    start_counter();
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
    enter();
    for (;;) {
    }
}

/* A fault restarts the board: HELLO then shows one more boot. */
void ek_fault(void)
{
    EK_SCB_AIRCR = 0x05FA0004u;
    for (;;) {
    }
}

typedef void (*ek_handler)(void);
typedef union {
    uint32_t *stack;
    ek_handler code;
} ek_vector;

__attribute__((section(".vectors"), used)) static const ek_vector vectors[16] = {
    {.stack = ek_stack_top}, {.code = Reset_Handler}, {.code = ek_fault}, /* NMI */
    {.code = ek_fault},                                                   /* HardFault */
    {.code = ek_fault},                                                   /* MemManage */
    {.code = ek_fault},                                                   /* BusFault */
    {.code = ek_fault},                                                   /* UsageFault */
};

#endif
