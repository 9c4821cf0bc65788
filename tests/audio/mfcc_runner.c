/* Computes the features of clips that the emulator's loader placed at BASE and counts each clip's
 * instructions. Built by mfcc_image.py. In memory: the number of clips; a tick count for each;
 * their samples; then their features. */
#include "bare_metal.h"

#include "ek_mfcc.h"

#define SYST_CSR (*(volatile uint32_t *)0xE000E010u)
#define SYST_RVR (*(volatile uint32_t *)0xE000E014u)
#define SYST_CVR (*(volatile uint32_t *)0xE000E018u)
#define SYST_MASK 0xFFFFFFu

static uint32_t clip(const ek_mfcc_params *p, const int16_t *sound, int8_t *features)
{
    static int32_t scratch[512 + 64];
    uint32_t ticks = 0;
    for (int32_t frame = 0; frame < p->frames; frame++) { /* the timer has only 24 bits */
        SYST_CVR = 0;
        const uint32_t before = SYST_CVR;
        ek_mfcc_frame(p, scratch, sound, features);
        ticks += (before - SYST_CVR) & SYST_MASK;
        sound += p->hop;
        features += p->coefficients;
    }
    return ticks;
}

static void run_all(void)
{
    const ek_mfcc_params *p = &PARAMS;
    uint32_t *head = (uint32_t *)BASE;
    const uint32_t clips = head[0];
    const uint32_t samples = (uint32_t)(p->hop * (p->frames - 1) + p->window);
    const uint32_t size = (uint32_t)(p->frames * p->coefficients);
    const int16_t *sound = (const int16_t *)(head + 1 + clips);
    int8_t *features = (int8_t *)(sound + clips * samples);
    SYST_RVR = SYST_MASK;
    SYST_CSR = 5u; /* the core's clock, no interrupt */
    for (uint32_t i = 0; i < clips; i++) {
        head[1 + i] = clip(p, sound + i * samples, features + i * size);
    }
    finish(head + 1, 4 * clips, features, clips * size);
}
