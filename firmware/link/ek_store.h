/* The stored input set: chunked transfer with resume, checked by SHA-256 before it counts. */
#ifndef EK_STORE_H
#define EK_STORE_H

#include "ek_link.h"

#include <stdint.h>

/* Takes up a transfer that a reset interrupted. */
void ek_store_init(void);

/* OPEN, WRITE, COMMIT or STATUS; 0 or EK_ERR_... */
uint32_t ek_store_command(uint32_t command, const uint8_t *payload, uint32_t length,
                          ek_reply *reply);

/* Input `slot` of the committed set, or 0. */
const uint8_t *ek_store_slot(uint32_t slot);

/* Number of inputs in the committed set. */
uint32_t ek_store_slots(void);

/* The whole memory for another use; what was stored is gone. */
uint8_t *ek_store_take(uint32_t *bytes);

#endif
