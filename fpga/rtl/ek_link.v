// The device link: frames on a serial line, and the processor that answers them.
//
// The commands are in fpga/rtl/ek_link_*.asm, which is written for this module's memory map and ports;
// docs/LINK.md describes the bytes on the wire. What a command moves or starts lies outside: the
// store of inputs, the network, the run control and the sleep, reached through ports.
//
// Memory, 2,048 bytes: received frame 000, variables 200, reply 400 (kept, to be sent again), event
// 500, and from 600 the answers to HELLO and INFO as far as they never change. It takes one access
// a clock: the processor's, else that of the receiver, else that of the sender.
// Cost: about 780 LUT4; 12 EBR (4 of memory, 8 of program), or 9 EBR and 1 SPRAM.
`default_nettype none

module ek_link #(
    parameter integer DIV = 104,             // clocks per bit of the line
    parameter integer CLOCK_MHZ = 12,
    parameter integer CYCLE_BITS = 24,
    parameter integer SPRAM = 0,             // 1: frames are kept in SPRAM
    parameter [991:0] HELLO = 992'd0,        // the Hello message, first byte lowest
    parameter [767:0] INFO = 768'd0,         // the Info message and the model's name
    parameter [151:0] LIMITS = 152'd0        // ek_link_1_names.asm has its fields
) (
    input  wire                  clk,
    input  wire                  rst,
    input  wire                  rx,
    output wire                  tx,
    input  wire                  twin,       // HELLO says: a virtual board
    output wire                  idle,       // nothing happens until a byte or a time comes
    output wire                  microsecond,
    input  wire [15:0]           skip,       // as in ek_shell
    output wire [23:0]           ahead,
    // the store and the weights
    output wire                  store_home,
    output wire                  store_spare,
    output wire                  store_write,
    output wire                  load_start, // the next byte is the lower one of a word
    output wire                  load_write,
    input  wire [15:0]           loaded,     // words of weights
    output wire [7:0]            data,       // of both
    // run control
    output wire                  run_start,
    output wire                  run_stop,
    output reg                   run_more,
    output reg                   run_slow,
    output reg                   run_timed,
    output reg  [71:0]           run_config, // base 16, limit 16, batch 16, period 24
    output wire                  left_write,
    input  wire                  run_busy,
    input  wire                  run_gap,
    input  wire [23:0]           run_ahead,
    input  wire                  run_borrow,
    input  wire                  run_missed,
    input  wire                  run_tick,   // a slow period ends
    input  wire                  run_counting,
    input  wire [15:0]           run_left,
    input  wire [CYCLE_BITS-1:0] cycles_min,
    input  wire [CYCLE_BITS-1:0] cycles_max,
    // the output
    output wire                  out_select,
    output wire                  out_next,
    input  wire [7:0]            out_data,
    // sleep
    input  wire                  can_sleep,
    output reg                   sleep,
    input  wire                  sleep_still,  // slow clocks change nothing
    input  wire                  woken
);
    // ---- the line ----------------------------------------------------------------------------
    wire rx_valid, rx_busy, tx_valid, tx_ready;
    wire [7:0] rx_byte, tx_byte;
    wire got_valid, good, bad_cobs, bad_crc, overrun;
    wire [7:0] got_data;
    wire [8:0] got_index, got_length;
    wire send_busy, send_read, send_grant;
    wire [7:0] send_index;
    wire send_start;
    reg send_event;  // from page 5, not 4
    reg [7:0] send_length;
    reg send_go;
    reg [7:0] flags;
    wire [7:0] ram_q;    // the byte that the processor asked for
    wire [7:0] frame_q;  // ... or the sender

    ek_uart_rx #(.DIV(DIV)) u_uart_rx (
        .clk(clk), .rst(rst), .rx(rx), .busy(rx_busy), .valid(rx_valid), .data(rx_byte)
    );
    ek_uart_tx #(.DIV(DIV)) u_uart_tx (
        .clk(clk), .rst(rst), .valid(tx_valid), .ready(tx_ready), .data(tx_byte), .tx(tx)
    );
    ek_frame_rx #(.BYTES(270)) u_frame_rx (
        .clk(clk), .rst(rst), .in_valid(rx_valid), .in_data(rx_byte), .room(!flags[0]),
        .out_valid(got_valid), .out_data(got_data), .out_index(got_index), .good(good),
        .bad_cobs(bad_cobs), .bad_crc(bad_crc), .overrun(overrun), .length(got_length)
    );
    ek_frame_tx u_frame_tx (
        .clk(clk), .rst(rst), .start(send_go), .length(send_length), .busy(send_busy),
        .read(send_read), .grant(send_grant), .index(send_index), .read_data(frame_q),
        .out_valid(tx_valid), .out_ready(tx_ready), .out_data(tx_byte)
    );

    // ---- the processor and its memory --------------------------------------------------------
    wire wake, fetch, at_wait, program_read, ram_write, port_read, port_write;
    wire [10:0] program_addr;
    wire [15:0] program_data;
    wire [10:0] cpu_addr;
    wire [4:0] port;
    reg [7:0] port_data;
    wire [7:0] a;

    ek_sequencer u_sequencer (
        .clk(clk), .rst(rst), .wake(wake), .fetch(fetch), .at_wait(at_wait),
        .program_read(program_read), .program_addr(program_addr), .program_data(program_data),
        .ram_addr(cpu_addr), .ram_data(ram_q), .ram_write(ram_write), .port(port),
        .port_read(port_read), .port_write(port_write), .port_data(port_data), .a_out(a)
    );
    ek_link_program u_program (
        .clk(clk), .read(program_read), .addr(program_addr), .data(program_data)
    );

    // A received byte and the sender wait for the processor's access to pass.
    reg pending;
    reg [8:0] pending_index;
    wire cpu_access = fetch || ram_write;
    wire store_byte = pending && !cpu_access;
    assign send_grant = !cpu_access && !pending;
    wire write = ram_write || store_byte;
    wire read = fetch || (send_read && send_grant);
    wire [10:0] addr = cpu_access ? cpu_addr
                                  : pending ? {2'b00, pending_index}
                                            : {2'b10, send_event, send_index};
    wire [7:0] written = ram_write ? a : got_data;
    always @(posedge clk) begin
        pending <= !rst && (got_valid || (pending && !store_byte));
        if (got_valid) pending_index <= got_index;
    end

    integer i;
    generate
        if (SPRAM != 0) begin : g_spram
            // Frames need no contents at the start. The rest is where address bit 9 is 1.
            reg [7:0] kept [0:511];
            reg [7:0] kept_q;
            reg from_kept;
            wire [15:0] spram_q;
            wire [8:0] kept_addr = {cpu_addr[10], cpu_addr[7:0]};
            wire in_kept = addr[9];  // the processor's access
            initial begin
                for (i = 0; i < 512; i = i + 1) kept[i] = 8'd0;
                for (i = 0; i < 124; i = i + 1) kept[256 + i] = HELLO[8*i +: 8];
                for (i = 0; i < 96; i = i + 1) kept[384 + i] = INFO[8*i +: 8];
                for (i = 0; i < 19; i = i + 1) kept[i] = LIMITS[8*i +: 8];
            end
            always @(posedge clk) begin
                if (ram_write && in_kept) kept[kept_addr] <= a;
                if (fetch && in_kept) kept_q <= kept[kept_addr];
                if (fetch) from_kept <= cpu_addr[9];
            end
            ek_spram u_frames (
                .clk(clk), .enable((write || read) && !in_kept), .write({1'b0, write}),
                .addr({4'd0, addr[10], addr[8:0]}), .write_data({8'd0, written}),
                .read_data(spram_q)
            );
            assign frame_q = spram_q[7:0];
            assign ram_q = from_kept ? kept_q : frame_q;
            wire unused = (&spram_q);
        end else begin : g_ebr
            reg [7:0] ram [0:2047];
            reg [7:0] ram_out;
            initial begin
                for (i = 0; i < 2048; i = i + 1) ram[i] = 8'd0;
                for (i = 0; i < 124; i = i + 1) ram[1536 + i] = HELLO[8*i +: 8];
                for (i = 0; i < 96; i = i + 1) ram[1664 + i] = INFO[8*i +: 8];
                for (i = 0; i < 19; i = i + 1) ram[512 + i] = LIMITS[8*i +: 8];
            end
            always @(posedge clk) begin
                if (write) ram[addr] <= written;
                if (read) ram_out <= ram[addr];
            end
            assign frame_q = ram_out;
            assign ram_q = ram_out;
        end
    endgenerate

    // ---- time and events ---------------------------------------------------------------------
    localparam [5:0] LAST_CLOCK = CLOCK_MHZ[5:0] - 6'd1;
    reg [5:0] clocks;
    reg [15:0] time_us = 16'd0;
    reg [15:0] sum_cycles;
    reg [7:0] missed;
    assign microsecond = (clocks == LAST_CLOCK);

    reg ticked;      // a slow period has ended
    reg stir;        // something to look at that is in no flag
    reg [4:0] was;
    wire sending = send_go || send_busy || !tx_ready;  // to the end of the last byte
    wire [4:0] now = {!sending, !run_busy, run_gap && run_slow, woken, !woken};
    wire ack = port_write && (port == 5'd2);
    assign wake = stir || (flags != 8'd0);

    // For simulators that skip idle time; where `idle` and `ahead` are not connected, and `skip` is
    // 0, they cost nothing.
    reg [4:0] quiet;
    wire silent = at_wait && !wake && !sending && rx && !rx_busy;
    wire [23:0] time_left = {8'd0, ~time_us};  // to the flag at its end
    wire can_skip = silent && (now == was) && microsecond && sleep_still && time_left > 24'd1;
    assign idle = (&quiet);
    assign ahead = !can_skip ? 24'd0 : (run_ahead < time_left) ? run_ahead : time_left - 24'd1;
    always @(posedge clk) begin
        if (rst || !silent || run_busy) quiet <= 5'd0;
        else if (!idle) quiet <= quiet + 5'd1;
    end

    always @(posedge clk) begin
        clocks <= (microsecond || run_start) ? 6'd0 : clocks + 6'd1;  // a RUN's first is whole
        if (microsecond) time_us <= time_us + 16'd1 + skip;
        if (run_counting) sum_cycles <= sum_cycles + 16'd1;
        if (run_missed) missed <= missed + 8'd1;
        if (run_start) begin
            sum_cycles <= 16'd0;
            missed <= 8'd0;
        end
        flags <= (flags & ~(ack ? a : 8'd0)) |
                 {run_borrow, run_missed && (&missed), run_counting && (&sum_cycles),
                  microsecond && (&time_us), overrun, bad_crc, bad_cobs, good};
        was <= now;
        stir <= ((now & ~was) != 5'd0) || run_tick || (stir && !at_wait);
        ticked <= run_tick || (ticked && !(port_write && port == 5'd9));
        if (rst) begin
            clocks <= 6'd0;
            flags <= 8'd0;
        end
    end

    // ---- ports -------------------------------------------------------------------------------
    wire [23:0] least = {{(24-CYCLE_BITS){1'b0}}, cycles_min};
    wire [23:0] most = {{(24-CYCLE_BITS){1'b0}}, cycles_max};
    reg [7:0] high;  // of the 16-bit number whose low byte was read
    reg [15:0] number;
    always @* begin
        case (port[1:0])
            2'd0: number = time_us;
            2'd1: number = sum_cycles;
            2'd2: number = {8'd0, missed};
            default: number = run_left;
        endcase
        case (port[3:0])
            4'd0: port_data = flags;
            4'd1: port_data = {got_length[8], can_sleep, twin, woken, run_gap, run_busy,
                               sending, ticked};
            4'd2: port_data = got_length[7:0];
            4'd3: port_data = out_data;
            4'd4, 4'd5, 4'd6, 4'd7: port_data = number[7:0];
            4'd8: port_data = least[7:0];
            4'd9: port_data = least[15:8];
            4'd10: port_data = least[23:16];
            4'd11: port_data = most[7:0];
            4'd12: port_data = most[15:8];
            4'd13: port_data = most[23:16];
            4'd15: port_data = loaded[7:0];
            default: port_data = high;
        endcase
    end

    wire send_reply_now = port_write && (port == 5'd0);
    wire send_event_now = port_write && (port == 5'd1);
    wire run_control = port_write && (port == 5'd6);
    assign send_start = send_reply_now || send_event_now;
    assign store_write = port_write && (port == 5'd3);
    assign store_home = port_write && (port == 5'd4) && a[0];
    assign store_spare = port_write && (port == 5'd4) && a[1];
    assign load_start = port_write && (port == 5'd4) && a[2];
    assign out_select = port_write && (port == 5'd7);
    assign out_next = port_read && (port[3:0] == 4'd3);
    assign load_write = port_write && (port == 5'd8);
    assign left_write = port_write && (port == 5'd10);
    assign data = a;
    assign run_start = run_control && a[0];
    assign run_stop = run_control && a[1];

    always @(posedge clk) begin
        send_go <= send_start;
        if (send_start) begin
            send_length <= a;
            send_event <= port[0];
        end
        if (port_read && port[3:2] == 2'd1) high <= number[15:8];
        if (port_read && port[3:0] == 4'd15) high <= loaded[15:8];
        if (port_write && port == 5'd5) run_config <= {a, run_config[71:8]};
        if (run_control) begin
            run_more <= a[2];
            run_slow <= a[3];
            run_timed <= a[4];
        end
        if (port_write && port == 5'd9) sleep <= a[0];
        if (rst) begin
            send_go <= 1'b0;
            run_more <= 1'b0;
            run_slow <= 1'b0;
            sleep <= 1'b0;
        end
    end
endmodule
`default_nettype wire
