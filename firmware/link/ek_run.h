/* RUN: inferences over the stored inputs at a fixed period, asleep in between. */
#ifndef EK_RUN_H
#define EK_RUN_H

#include "ek_link.h"

#include <stdint.h>

/* RUN, RUN_STATUS, RUN_STOP or READ; 0 or EK_ERR_... */
uint32_t ek_run_command(uint32_t command, const uint8_t *payload, uint32_t length,
                        ek_reply *reply);

/* 1 while a RUN is under way; nothing else may use the model or the store then. */
uint32_t ek_run_active(void);

/* Ends a RUN early. */
void ek_run_stop(void);

/* Sleeps until the next group of inferences is due and runs it. */
void ek_run_step(void);

#endif
