/* The MLPerf Tiny text commands on the same port, so that the official runner drives the board. */
#ifndef EK_EE_H
#define EK_EE_H

#include <stdint.h>

/* 1: built for energy runs, where a timestamp is an edge on the mark pin and no text. */
#ifndef EK_EE_ENERGY
#define EK_EE_ENERGY 0
#endif

/* 1: the data set's bytes are unsigned (image tasks) and are shifted to the model's signed ones. */
#ifndef EK_EE_INPUT_U8
#define EK_EE_INPUT_U8 0
#endif

/* Prints what the runner waits for after a reset. */
void ek_ee_banner(void);

/* Takes one received character; runs the command when it is the terminator. */
void ek_ee_byte(uint8_t byte);

/* Forgets an unfinished command. */
void ek_ee_reset(void);

/* Number of commands since the start. */
uint32_t ek_ee_commands(void);

#endif
