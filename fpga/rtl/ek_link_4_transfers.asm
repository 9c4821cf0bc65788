; Part of the link's program: ek_link_1_names.asm says what it is made of.

; ---- transfers ---------------------------------------------------------------------------------
status:     setp RECORD
            ld RECORD+STATUS_REPLY_STATE
            jnz status_out
            st RECORD+STATUS_REPLY_HANDLE
            st RECORD+STATUS_REPLY_HANDLE+1
status_out: ld #STATUS_REPLY_BYTES
            jmp copy_out

open:       ld RX_LENGTH
            xor #OPEN_REQUEST_BYTES
            jnz bad_arg
            copy LEFT RX_PAYLOAD+OPEN_REQUEST_LENGTH 4
            ld LEFT
            jnz open_some
            ld LEFT+1
            jnz open_some
            ld LEFT+2
            jz bad_arg
open_some:  ld RX_PAYLOAD+OPEN_REQUEST_KIND
            xor #TRANSFER_KIND_INPUTS
            jz open_inputs
            xor #TRANSFER_KIND_INPUTS
            xor #TRANSFER_KIND_WEIGHTS
            jnz bad_arg
            ld LEFT
            xor L_WEIGHTS
            jnz bad_arg
            ld LEFT+1
            xor L_WEIGHTS+1
            jnz bad_arg
            ld LEFT+2
            xor L_WEIGHTS+2
            jnz bad_arg
            ld LEFT+3
            xor L_WEIGHTS+3
            jnz bad_arg
            ld #4
            out O_PLACE
            call loaded
            copy RECORD+STATUS_REPLY_OFFSET TEMP 4
            jmp open_record
open_inputs:
            test L_STORE LEFT 4
            jc open_room
            ld #ERR_NO_MEM
            jmp fail
open_room:  zero SLOTS_NEXT 4
open_count: minus LEFT L_INPUT 4
            jnc bad_arg         ; no whole number of inputs
            inc SLOTS_NEXT 4
            ld LEFT
            jnz open_count
            ld LEFT+1
            jnz open_count
            ld LEFT+2
            jnz open_count
            zero SLOTS 4
open_same:  ld RECORD+STATUS_REPLY_STATE
            jz open_new
            ld RX_PAYLOAD+OPEN_REQUEST_RESTART
            jnz open_new
            ld RX_PAYLOAD+OPEN_REQUEST_KIND
            xor RECORD+STATUS_REPLY_KIND
            jnz open_new
            setp RX_PAYLOAD+OPEN_REQUEST_LENGTH
            setq RECORD+STATUS_REPLY_LENGTH
            ld #36              ; length and digest lie side by side in both
            st COUNT
open_equal: ld p+
            xor q+
            jnz open_new
            dec COUNT 1
            jnz open_equal
            jmp open_go_on
open_new:   zero RECORD+STATUS_REPLY_OFFSET 4
            ld #1
            out O_PLACE
open_record:
            copy RECORD+STATUS_REPLY_HANDLE RX_PAYLOAD+OPEN_REQUEST_SHA256 2
            ld RX_PAYLOAD+OPEN_REQUEST_KIND
            st RECORD+STATUS_REPLY_KIND
            setp RX_PAYLOAD+OPEN_REQUEST_LENGTH
            setq RECORD+STATUS_REPLY_LENGTH
            ld #36
            st COUNT
            call move
open_go_on: ld #TRANSFER_OPEN
            st RECORD+STATUS_REPLY_STATE
            setq REPLY_PAYLOAD
            ld RECORD+STATUS_REPLY_HANDLE
            st q+
            ld RECORD+STATUS_REPLY_HANDLE+1
            st q+
            ld #CHUNK
            st q+
            ld #0
            st q+
            ld #OPEN_REPLY_BYTES
tell_place: st R_LENGTH
            setp RECORD+STATUS_REPLY_OFFSET
            ld #4
            st COUNT
            call move
            jmp answer

; TEMP = bytes of weights that the network has, Z when they are not all.
loaded:     in I_LOADED
            st TEMP
            in I_HIGH
            st TEMP+1
            zero TEMP+2 2
            plus TEMP TEMP 4
            test TEMP L_WEIGHTS 4
            ld #0
            adc #0
            st LOADED
            ret

; Z unless the request's handle is the transfer's.
handle:     ld RX_PAYLOAD
            xor RECORD+STATUS_REPLY_HANDLE
            jnz handle_no
            ld RX_PAYLOAD+1
            xor RECORD+STATUS_REPLY_HANDLE+1
handle_no:  ret

write:      ld RX_LENGTH        ; LEFT = bytes of data, at most CHUNK
            sub #WRITE_REQUEST_BYTES
            st LEFT
            ld RX_LENGTH+1
            sbc #0
            jnz bad_arg
            st LEFT+1
            st LEFT+2
            st LEFT+3
            ld RECORD+STATUS_REPLY_STATE
            xor #TRANSFER_OPEN
            jnz bad_arg
            call handle
            jnz bad_arg
            setp RX_PAYLOAD+WRITE_REQUEST_OFFSET
            setq RECORD+STATUS_REPLY_OFFSET
            ld #4
            st COUNT
write_at:   ld p+
            xor q+
            jnz write_tell      ; elsewhere: the answer says where to go on
            dec COUNT 1
            jnz write_at
            ld LEFT
            jz write_tell
            copy TEMP RECORD+STATUS_REPLY_LENGTH 4
            minus TEMP RECORD+STATUS_REPLY_OFFSET 4
            test TEMP LEFT 4
            jc write_fits
            ld #ERR_OUT_OF_RANGE
            jmp fail
write_fits: plus RECORD+STATUS_REPLY_OFFSET LEFT 4
            ld RECORD+STATUS_REPLY_KIND
            xor #TRANSFER_KIND_INPUTS
            jz write_store
write_load: ld p+
            out O_LOAD
            dec LEFT 1
            jnz write_load
            jmp write_tell
write_store:
            ld p+
            out O_STORE
            dec LEFT 1
            jnz write_store
write_tell: setq REPLY_PAYLOAD
            ld #WRITE_REPLY_BYTES
            jmp tell_place

commit:     ld RX_LENGTH
            xor #COMMIT_REQUEST_BYTES
            jnz bad_arg
            ld RECORD+STATUS_REPLY_STATE
            jz bad_arg
            call handle
            jnz bad_arg
            test RECORD+STATUS_REPLY_OFFSET RECORD+STATUS_REPLY_LENGTH 4
            jnc bad_arg         ; bytes are missing
            ld #TRANSFER_COMMITTED
            st RECORD+STATUS_REPLY_STATE
            setp RECORD+STATUS_REPLY_LENGTH
            setq REPLY_PAYLOAD
            ld #4
            st COUNT
            call move
            ld RECORD+STATUS_REPLY_KIND
            xor #TRANSFER_KIND_INPUTS
            jz commit_inputs
            call loaded
            zero TEMP 4
            jmp commit_tell
commit_inputs:
            copy SLOTS SLOTS_NEXT 4
            copy TEMP SLOTS 4
commit_tell:
            setp TEMP
            ld #4
            st COUNT
            call move
            ld #COMMIT_REPLY_BYTES
            st R_LENGTH
            jmp answer
