/* Mel-frequency cepstra of int16 sound as int8, in integer arithmetic: docs/reference/mfcc.md.
 *
 * Nothing here allocates, recurses, has state or knows floating point. The tables are generated;
 * the same arithmetic in Python is edgekit/audio/mfcc.py, and both give the same bytes.
 */
#ifndef EK_MFCC_H
#define EK_MFCC_H

#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

typedef struct {
    int32_t window; /* samples of a frame: 128, 256 or 512 */
    int32_t hop;    /* samples from one frame to the next */
    int32_t frames; /* of a clip, which has hop * (frames - 1) + window samples */
    int32_t mels;
    int32_t coefficients;
    int32_t first_bin;       /* that any triangle reaches */
    int32_t floor;           /* level of silence, 1/256 of a power of 2 */
    const uint16_t *hann;    /* [window], Q15 */
    const int16_t *turns;    /* [window / 2][2], cosine and sine of k / window turns, Q14 */
    const uint16_t *weights; /* how high each bin stands on its slope, from first_bin on, Q12 */
    const uint8_t *slopes;   /* [mels + 1], bins on each slope */
    const int16_t *cosines;  /* [coefficients][mels] */
    const int32_t *starts;   /* [coefficients], where the cosine sums start */
} ek_mfcc_params;

/* 49 frames of 32 ms, 20 ms apart, and 13 coefficients of 26 triangles. */
extern const ek_mfcc_params ek_mfcc_8k;  /* clips of 7936 samples */
extern const ek_mfcc_params ek_mfcc_16k; /* clips of 15872 samples */

/* One frame: window samples in, coefficients out. Scratch: window + mels values. */
void ek_mfcc_frame(const ek_mfcc_params *p, int32_t *scratch, const int16_t *samples,
                   int8_t *features);

/* A clip: [frames][coefficients] out. */
void ek_mfcc(const ek_mfcc_params *p, int32_t *scratch, const int16_t *samples, int8_t *features);

#ifdef __cplusplus
}
#endif

#endif
