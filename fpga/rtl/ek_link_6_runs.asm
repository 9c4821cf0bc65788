; Part of the link's program: ek_link_1_names.asm says what it is made of.

; ---- RUN ---------------------------------------------------------------------------------------
run:        ld RX_LENGTH
            xor #RUN_REQUEST_BYTES
            jnz bad_arg
            ld SLOTS
            jnz run_slots
            ld SLOTS+1
            jnz run_slots
            ld #ERR_NO_MEM
            jmp fail
run_slots:  test RX_PAYLOAD+RUN_REQUEST_FIRST SLOTS 4
            jc no_slot
            copy TEMP SLOTS 4
            minus TEMP RX_PAYLOAD+RUN_REQUEST_FIRST 4
            test TEMP RX_PAYLOAD+RUN_REQUEST_COUNT 4
            jnc no_slot
            ld RX_PAYLOAD+RUN_REQUEST_COUNT
            jnz run_count
            ld RX_PAYLOAD+RUN_REQUEST_COUNT+1
            jz no_slot
run_count:  copy N RX_PAYLOAD+RUN_REQUEST_N 4
            ld N
            jnz run_n
            ld N+1
            jnz run_n
            ld N+2
            jnz run_n
            ld N+3
            jz bad_arg
run_n:      copy TEMP RX_PAYLOAD+RUN_REQUEST_BATCH 4
            dec TEMP 4          ; 0 becomes too much
            ld TEMP+3
            jnz bad_arg
            ld TEMP+2
            jnz bad_arg
            copy BATCH TEMP 2
            copy PERIOD RX_PAYLOAD+RUN_REQUEST_PERIOD_US 4
            ld #0
            st CONTROL
            in I_STATE
            and #ST_SLEEPS
            jz run_fast
            ld PERIOD+3
            jnz run_slow
            ld PERIOD+2
            jnz run_slow
            ld PERIOD+1
            sub #8              ; 2 ms
            jnc run_fast
run_slow:   ld #8
            st CONTROL
            copy STEP_US PERIOD 4
            ld #0               ; PERIOD /= 100, bit by bit; COUNT+1 is the rest
            st COUNT+1
            ld #32
            st COUNT
divide:     plus PERIOD PERIOD 4
            ld COUNT+1
            adc COUNT+1
            st COUNT+1
            sub #100
            jnc divided
            st COUNT+1
            inc PERIOD 1        ; its lowest bit is 0
divided:    dec COUNT 1
            jnz divide
            ld STEP_US          ; what the ticks make
            sub COUNT+1
            st STEP_US
            ld STEP_US+1
            sbc #0
            st STEP_US+1
            ld STEP_US+2
            sbc #0
            st STEP_US+2
            ld STEP_US+3
            sbc #0
            st STEP_US+3
run_fast:   ld PERIOD+3
            jnz bad_arg
            ld PERIOD
            jnz run_timed
            ld PERIOD+1
            jnz run_timed
            ld PERIOD+2
            jz run_range
run_timed:  ld CONTROL
            add #16
            st CONTROL
            dec PERIOD 3
run_range:
            copy SLOT RX_PAYLOAD+RUN_REQUEST_FIRST 2
            plus RX_PAYLOAD+RUN_REQUEST_COUNT SLOT 2
            copy SLOT RX_PAYLOAD+RUN_REQUEST_COUNT 2
            call locate
            copy LIMIT PLACE 2
            dec LIMIT 2
            copy SLOT RX_PAYLOAD+RUN_REQUEST_FIRST 2
            call locate
            call configure
            ld N+2
            jnz run_more
            ld N+3
            jz run_ready
run_more:   ld CONTROL
            add #4
            st CONTROL
run_ready:  ld #RUN_RECORD_BYTES
            st COUNT
            setp RUN
run_clear:  ld #0
            st p+
            dec COUNT 1
            jnz run_clear
            st R_LENGTH
            ld #1
            st PENDING
            st RUN+RUN_RECORD_STATE     ; RUNNING
            jmp answer

run_go:     ld #0               ; the reply is out
            st PENDING
            zero START 8
            ld CONTROL
            and #8
            jnz run_went
            call now
            copy START NOW 8
run_went:   ld CONTROL
            add #1
            out O_RUN
            jmp main

run_end:    ld #0               ; quiet counts from here: the event wants to go out
            st QUIET
            call count_run
            ld #RUN_DONE
            call record
            setq EVENT_PAYLOAD
            setp RUN
            ld #RUN_RECORD_BYTES
            st COUNT
            call move
            ld S_ACTIVE
            jz main
            inc EVENT_COUNT 2
            setq EVENT
            ld #MAGIC
            st q+
            ld #TYPE_EVT
            st q+
            ld #CMD_RUN
            st q+
            ld #0
            st q+
            ld EVENT_COUNT
            st q+
            ld EVENT_COUNT+1
            st q+
            ld S_ID
            st q+
            ld S_ID+1
            st q+
            ld #RUN_RECORD_BYTES
            st q+
            ld #0
            st q+
            inc STATS+STATS_TX_FRAMES 4
            ld #HEADER_BYTES+RUN_RECORD_BYTES
            out O_EVENT
            jmp main

; Fills RUN with the state in A, and what count_run leaves of a run that has ended.
record:     st RUN+RUN_RECORD_STATE
            plus STATS+STATS_INFERENCES RUN+RUN_RECORD_N 4
            setq RUN+RUN_RECORD_CYCLES_MIN
            in I_LEAST
            st q+
            in I_LEAST+1
            st q+
            in I_LEAST+2
            st q+
            ld #0
            st q+
            in I_MOST
            st q+
            in I_MOST+1
            st q+
            in I_MOST+2
            st q+
            ld #0
            st q+
            in I_SUM
            st q+
            in I_HIGH
            st q+
            in I_MISSED
            st RUN+RUN_RECORD_MISSED
            ret

; n and t_us of RUN as of now.
count_run:  ld PENDING
            jnz run_counted     ; not one has begun
run_reread: in I_FLAGS
            and #F_BORROW
            st TEMP
            in I_LEFT
            st LEFT
            in I_HIGH
            st LEFT+1
            in I_FLAGS
            and #F_BORROW
            xor TEMP
            jnz run_reread      ; it happened just now
            copy LEFT+2 N_HIGH 2
            ld TEMP
            jz run_steady
            dec LEFT+2 2
run_steady: copy RUN+RUN_RECORD_N N 4
            minus RUN+RUN_RECORD_N LEFT 4
            copy RUN+RUN_RECORD_T_US START 8
            ld CONTROL
            and #8
            jnz run_counted
            call now
            copy RUN+RUN_RECORD_T_US NOW 8
            minus RUN+RUN_RECORD_T_US START 8
run_counted:
            ret

; Ends a RUN, if there is one, when its group has ended. There are two return addresses only: it goes
; on where the command says.
run_stop:
run_halt:   ld RUN+RUN_RECORD_STATE
            xor #RUN_RUNNING
            jnz run_halted
            ld PENDING
            jnz run_never
            ld CONTROL
            and #0xFE
            add #2
            out O_RUN
run_halting:
            call service
            in I_STATE
            and #ST_RUNNING
            jnz run_halting
            call count_run
            ld #RUN_STOPPED
            call record
run_halted: ld RX_COMMAND
            xor #CMD_HELLO
            jz fresh_go
            jmp run_tell
run_never:  ld #0
            st PENDING
            ld #RUN_STOPPED
            st RUN+RUN_RECORD_STATE
            jmp run_halted

run_status: ld RUN+RUN_RECORD_STATE
            xor #RUN_RUNNING
            jnz run_tell
            call count_run
run_tell:   setp RUN
            ld #RUN_RECORD_BYTES
            jmp copy_out
