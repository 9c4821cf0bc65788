/* RM0432 "Clocks", "Dynamic voltage scaling management" and "Read access latency".
 *
 * | EK_CLOCK_HZ | source                    | core supply   | flash wait states |
 * |-------------|---------------------------|---------------|-------------------|
 * | 120 MHz     | MSI 4 MHz / 1 * 60 / 2    | range 1 boost | 5 (<= 120 MHz)    |
 * | 48 MHz      | MSI range 11              | range 1       | 2 (<= 60 MHz)     |
 * | 24 MHz      | MSI range 9               | range 2       | 2 (<= 26 MHz)     |
 *
 * HSI16 feeds LPUART1 alone, so the baud rate is the same at every operating point. */
#include "chip.h"
#include "hsi16.h"
#include "registers.h"

#if EK_CLOCK_HZ == 120000000
#define USE_PLL 1
#define MSI_RANGE 6u
#define WAIT_STATES 5u
#elif EK_CLOCK_HZ == 48000000
#define USE_PLL 0
#define MSI_RANGE 11u
#define WAIT_STATES 2u
#elif EK_CLOCK_HZ == 24000000
#define USE_PLL 0
#define MSI_RANGE 9u
#define WAIT_STATES 2u
#else
#error "EK_CLOCK_HZ has no row in the table above"
#endif

#if USE_PLL
static void halve_ahb(uint32_t on)
{
    uint32_t cfgr = RCC_CFGR & ~RCC_CFGR_HPRE_MASK;

    RCC_CFGR = on ? cfgr | RCC_CFGR_HPRE_DIV2 : cfgr;
}

/* Above 80 MHz the AHB is halved over the switch and for 1 us after it ("Dynamic voltage scaling
 * management", range 1 boost). */
static void switch_to_pll(void)
{
    uint32_t start;

    RCC_CR |= RCC_CR_PLLON;
    while ((RCC_CR & RCC_CR_PLLRDY) == 0) {
    }
    halve_ahb(1);
    RCC_CFGR = (RCC_CFGR & ~RCC_CFGR_SW_MASK) | RCC_CFGR_SW_PLL;
    while ((RCC_CFGR & RCC_CFGR_SWS_MASK) != RCC_CFGR_SWS_PLL) {
    }
    start = DWT_CYCCNT;
    while (DWT_CYCCNT - start < 120u) { /* 2 us at 60 MHz */
    }
    halve_ahb(0);
}
#endif

uint32_t ek_clock_init(void)
{
    uint32_t changed;

    RCC_APB1ENR1 |= RCC_APB1ENR1_PWREN;
    FLASH_ACR = FLASH_ACR_PRFTEN | FLASH_ACR_ICEN | FLASH_ACR_DCEN | WAIT_STATES;
    while ((FLASH_ACR & FLASH_ACR_LATENCY_MASK) != WAIT_STATES) {
    }
    ek_start_hsi16();
    changed = DWT_CYCCNT;
    while ((RCC_CR & RCC_CR_MSIRDY) == 0) { /* the range may only change while MSI is ready */
    }
    RCC_CR = (RCC_CR & ~RCC_CR_MSIRANGE(15u)) | RCC_CR_MSIRANGE(MSI_RANGE) | RCC_CR_MSIRGSEL;
    while ((RCC_CR & RCC_CR_MSIRDY) == 0) {
    }
#if USE_PLL
    PWR_CR5 &= ~PWR_CR5_R1MODE;
    RCC_PLLCFGR = 1u           /* PLLSRC: MSI */
                  | (0u << 4)  /* PLLM: / 1 */
                  | (60u << 8) /* PLLN: VCO at 240 MHz */
                  | (1u << 24) /* PLLREN */
                  | (0u << 25) /* PLLR: / 2 */;
    switch_to_pll();
#elif EK_CLOCK_HZ == 24000000
    PWR_CR1 = (PWR_CR1 & ~PWR_CR1_VOS_MASK) | PWR_CR1_VOS_RANGE2;
#endif
    return changed;
}

/* "Entering Stop 2 mode" and "Exiting Stop 2 mode" */
void ek_clock_before_stop(void)
{
#if USE_PLL
    halve_ahb(1);
#endif
    PWR_CR1 = (PWR_CR1 & ~PWR_CR1_LPMS_MASK) | PWR_CR1_LPMS_STOP2;
}

void ek_clock_after_stop(void)
{
    ek_start_hsi16();
#if USE_PLL
    switch_to_pll();
#endif
}
