; Part of the link's program: ek_link_1_names.asm says what it is made of.

; ---- start -------------------------------------------------------------------------------------
start:      inc BOOT 4
            ld #0
            st S_ACTIVE
            st PENDING
            st CONTROL
            st QUIET
            st RECORD+STATUS_REPLY_STATE
            st RUN+RUN_RECORD_STATE
            zero SLOTS 4
            zero TIME 8
            ld #STATS_BYTES
            st COUNT
            setp STATS
clear:      ld #0
            st p+
            dec COUNT 1
            jnz clear
            call loaded

; ---- what there is to do -----------------------------------------------------------------------
main:       call service
            in I_STATE
            st STATE
            and #ST_TICKED
            jnz ticked
            ld STATE
            and #ST_SENDING
            jnz rest            ; the reply is going out: nothing may change it
            ld RUN+RUN_RECORD_STATE
            xor #RUN_RUNNING
            jnz receive
            ld PENDING
            jnz run_go
            ld STATE
            and #ST_RUNNING
            jz run_end
receive:    in I_FLAGS
            and #F_FRAME
            jnz frame
sleepy:     ld STATE
            and #ST_WOKEN
            jz drowsy
            ld #0
            out O_SLEEP
            st QUIET
            jmp rest
drowsy:     ld STATE
            and #ST_SLEEPS
            jz rest
            ld RUN+RUN_RECORD_STATE
            xor #RUN_RUNNING
            jz between
            ld QUIET
            sub #QUIET_TIMES
            jnc rest
            ld #1
            out O_SLEEP
            jmp rest
between:    ld CONTROL          ; sleep only in the gaps of a slow RUN
            and #8
            jz rest
            ld STATE
            and #ST_GAP
            jz rest
            ld #1
            out O_SLEEP
rest:       wait
            jmp main

ticked:     ld #0               ; a slow period has ended
            out O_SLEEP
            plus START STEP_US 4
            ld START+4
            adc #0
            st START+4
            ld START+5
            adc #0
            st START+5
            jmp main

; Counts what the flags say; every loop that waits calls it.
service:    in I_FLAGS
            and #0xFE
            jnz serve
            ret
serve:      st FLAGS
            out O_ACK
            and #F_COBS
            jz no_cobs
            inc STATS+STATS_COBS_ERRORS 4
no_cobs:    ld FLAGS
            and #F_CRC
            jz no_crc
            inc STATS+STATS_CRC_ERRORS 4
no_crc:     ld FLAGS
            and #F_OVERRUN
            jz no_overrun
            inc STATS+STATS_OVERRUNS 4
no_overrun: ld FLAGS
            and #F_TIME
            jz no_time
            inc TIME+2 6
            ld QUIET
            add #1
            jc no_time
            st QUIET
no_time:    ld FLAGS
            and #F_SUM
            jz no_sum
            inc RUN+RUN_RECORD_CYCLES_SUM+2 6
no_sum:     ld FLAGS
            and #F_MISSED
            jz no_missed
            inc RUN+RUN_RECORD_MISSED+1 3
no_missed:  ld FLAGS
            and #F_BORROW
            jz no_borrow
            dec N_HIGH 2
            ld N_HIGH
            jnz no_borrow
            ld N_HIGH+1
            jnz no_borrow
            ld CONTROL
            and #0xFB           ; no more
            st CONTROL
            out O_RUN
no_borrow:  ret

; NOW = microseconds since the start.
now_late:   inc TIME+2 6
            ld #F_TIME
            out O_ACK
now:        in I_TIME
            st NOW
            in I_HIGH
            st NOW+1
            in I_FLAGS
            and #F_TIME
            jnz now_late
            copy NOW+2 TIME+2 6
            ret
