/* Vector table and reset code. No interrupt is ever taken: PRIMASK stays set. */
#include "ek_port.h"
#include "oracle.h"
#include "registers.h"

extern uint32_t ek_stack_top[], ek_data_load[], ek_data_start[], ek_data_end[], ek_bss_start[],
    ek_bss_end[], ek_oracle_request[];

__attribute__((noreturn)) void Reset_Handler(void);
__attribute__((noreturn)) void ek_fault(void);

void Reset_Handler(void)
{
    uint32_t *to = ek_data_start;
    const uint32_t *from = ek_data_load;

    SCB_CPACR |= 0xFu << 20; /* CP10 and CP11: the FPU, before any code that may use it */
    __asm volatile("dsb\n isb\n cpsid i" ::: "memory");
    TIMER0_RELOAD = 0xFFFFFFFFu;
    TIMER0_VALUE = 0xFFFFFFFFu;
    TIMER0_CTRL = TIMER_ENABLE;
    while (to < ek_data_end) {
        *to++ = *from++;
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
void ek_fault(void)
{
    SCB_AIRCR = 0x05FA0004u;
    for (;;) {
    }
}

typedef void (*handler)(void);
typedef union {
    uint32_t *stack;
    handler code;
} vector;

__attribute__((section(".vectors"), used)) static const vector vectors[16] = {
    {.stack = ek_stack_top},
    {.code = Reset_Handler},
    {.code = ek_fault}, /* NMI */
    {.code = ek_fault}, /* HardFault */
    {.code = ek_fault}, /* MemManage */
    {.code = ek_fault}, /* BusFault */
    {.code = ek_fault}, /* UsageFault */
};
