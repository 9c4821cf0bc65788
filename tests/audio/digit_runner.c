/* Tells the digits of clips that the emulator's loader placed at BASE: their number, a digit for
 * each, and their samples; then come all scores. Built by mfcc_image.py. */
#include "bare_metal.h"

#include "digit.h"

#define SAMPLES 7936u

int32_t digit_of(const int16_t *samples);

static void run_all(void)
{
    uint32_t *head = (uint32_t *)BASE;
    const uint32_t clips = head[0];
    const int16_t *sound = (const int16_t *)(head + 1 + clips);
    int8_t *scores = (int8_t *)(sound + clips * SAMPLES);
    for (uint32_t i = 0; i < clips; i++) {
        head[1 + i] = (uint32_t)digit_of(sound + i * SAMPLES);
        const int8_t *found = digit_output();
        for (uint32_t k = 0; k < DIGIT_OUTPUT_BYTES; k++) {
            scores[i * DIGIT_OUTPUT_BYTES + k] = found[k];
        }
    }
    finish(head + 1, 4 * clips, scores, clips * DIGIT_OUTPUT_BYTES);
}
