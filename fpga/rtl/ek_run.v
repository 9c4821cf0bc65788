// Runs inferences over stored inputs: groups of `batch`, one group a period, with their cycles.
//
// `start` begins at word `base`; words are read up to `limit` and then from `base` again. `left`
// counts inferences down from what `left_write` shifted in and stops at 0 unless `more`, which stands for
// another 65,536: `borrow` then asks for its update. Inside a group inputs follow as fast as the
// network takes them. With `timed` a group starts every `period` + 1 microseconds, or, with `slow`,
// at every `slow_tick`; else at once. After the last group its period passes too; `busy` falls.
// Where a period is over before its group, `missed` pulses and the next group starts at once.
//
// `mark` is high while a group has work. The cycles of an inference are the clocks to the last
// beat of its output: from the acceptance of its first beat for the first of a group (the
// network's latency), from the output before for the others (its interval). `counting` is high
// for their sum. A group's last output waits in the network (`hold`) until the next group.
// Cost: about 230 LUT4.
`default_nettype none

module ek_run #(
    parameter integer ADDR_BITS = 7,
    parameter integer BEATS = 1,        // words of an input
    parameter integer CYCLE_BITS = 24,  // of one inference's cycles, at most 24
    parameter integer FLYING_BITS = 8   // of the inferences that may be in the network at once
) (
    input  wire                  clk,
    input  wire                  rst,
    input  wire                  start,
    input  wire                  stop,
    input  wire                  microsecond,
    input  wire [23:0]           skip,       // as in ek_shell
    output wire [23:0]           ahead,
    input  wire                  slow,
    input  wire                  slow_tick,
    input  wire [ADDR_BITS-1:0]  base,
    input  wire [ADDR_BITS-1:0]  limit,
    input  wire                  left_write,
    input  wire [7:0]            left_data,
    input  wire                  more,
    input  wire [15:0]           batch,      // less 1
    input  wire                  timed,
    input  wire [23:0]           period,     // less 1
    output reg                   borrow,
    output reg                   missed,
    output wire                  busy,
    output wire                  gap,
    output wire                  mark,
    output wire                  counting,
    output reg  [15:0]           left,
    output reg  [CYCLE_BITS-1:0] cycles_min,
    output reg  [CYCLE_BITS-1:0] cycles_max,
    output wire                  read,       // of the store
    output reg  [ADDR_BITS-1:0]  read_addr,
    output wire                  read_first, // word of an input
    output wire                  in_valid,   // of the network
    input  wire                  in_ready,
    input  wire                  out_valid,
    input  wire                  out_last,
    output wire                  hold
);
    localparam integer BEAT_BITS = (BEATS > 1) ? $clog2(BEATS) : 1;
    localparam integer LAST_BEAT = BEATS - 1;
    localparam [FLYING_BITS-1:0] ONE = 1;
    localparam [1:0] IDLE = 2'd0, GROUP = 2'd1, GAP = 2'd2, POP = 2'd3;

    reg [1:0] state = IDLE;
    reg stopping;
    reg have;                       // the store's output is a word for the network
    reg [BEAT_BITS-1:0] beat;       // of the word to read next
    reg [15:0] group_left;          // inputs still to begin in this group, less 1
    reg group_done;                 // ... none
    reg [FLYING_BITS-1:0] flying;   // inputs begun and not answered
    reg [CYCLE_BITS-1:0] cycles;
    reg [23:0] timer;
    reg over;                       // the period has ended
    reg working;                    // a first beat of this group has been accepted

    wire accept = in_valid && in_ready;
    wire step = !have || in_ready;
    wire last_beat = (beat == LAST_BEAT[BEAT_BITS-1:0]);
    wire first_beat = (beat == {BEAT_BITS{1'b0}});
    wire some_left = (left != 16'd0) || more;
    wire begin_ok = !group_done && some_left && !(&flying);
    wire want = (state == GROUP) && (!first_beat || begin_ok);
    wire fetched = want && step;    // a word is being read
    wire begun = fetched && first_beat;
    wire finished = out_valid && out_last && (state == GROUP);
    wire nothing_more = (group_done || !some_left) && !have && first_beat;
    wire group_last = nothing_more && (flying == ONE);
    wire [24:0] later = {1'b0, timer} - 25'd1 - {1'b0, skip};
    wire [16:0] group_less = {1'b0, group_left} - 17'd1;
    wire start_group = (state == IDLE) ? start
                                       : (state == GAP) && some_left && !stopping &&
                                         (over || !timed);
    wire last_gap = (state == GAP) && (stopping || (!some_left && (over || !timed)));

    assign busy = (state != IDLE);
    assign gap = (state == GAP);
    assign mark = (state == GROUP);
    assign read = fetched;
    assign read_first = first_beat;
    assign in_valid = have;
    assign hold = (state != POP) && (state != GROUP || group_last);
    assign counting = working;
    assign ahead = (gap && !slow && timed && !over && timer > 24'd1) ? timer - 24'd1 : 24'd0;

    always @(posedge clk) begin
        borrow <= 1'b0;
        missed <= 1'b0;

        if (fetched) begin
            read_addr <= (read_addr == limit) ? base : read_addr + 1'b1;
            beat <= last_beat ? {BEAT_BITS{1'b0}} : beat + 1'b1;
        end
        if (step) have <= want;
        if (left_write) left <= {left_data, left[15:8]};
        else if (begun) left <= left - 16'd1;
        if (begun) begin
            borrow <= (left == 16'd0);
            group_left <= group_less[15:0];
            group_done <= group_less[16];
        end
        if (begun != finished) flying <= flying + {{(FLYING_BITS-1){finished}}, 1'b1};

        if (finished) begin
            if (cycles < cycles_min) cycles_min <= cycles;
            if (cycles > cycles_max) cycles_max <= cycles;
        end
        if (finished || !working) cycles <= {{(CYCLE_BITS-1){1'b0}}, 1'b1};
        else if (!(&cycles)) cycles <= cycles + 1'b1;
        if (finished && group_last) working <= 1'b0;
        else if (accept) working <= 1'b1;

        if (microsecond) timer <= later[23:0];
        if (slow ? slow_tick : (microsecond && later[24])) over <= 1'b1;

        case (state)
            IDLE: if (start) begin
                read_addr <= base;
                stopping <= 1'b0;
                cycles_min <= {CYCLE_BITS{1'b1}};
                cycles_max <= {CYCLE_BITS{1'b0}};
            end
            POP: state <= GROUP;
            GROUP: if (nothing_more && flying == {FLYING_BITS{1'b0}} || group_last && finished) begin
                state <= GAP;
                missed <= timed && over && some_left;
            end
            default: if (last_gap) state <= IDLE;
        endcase
        if (start_group) begin
            state <= POP;
            group_left <= batch;
            group_done <= 1'b0;
            timer <= period;
            over <= 1'b0;
        end
        if (stop) stopping <= 1'b1;

        if (rst) begin
            state <= IDLE;
            have <= 1'b0;
            beat <= {BEAT_BITS{1'b0}};
            flying <= {FLYING_BITS{1'b0}};
            working <= 1'b0;
            group_done <= 1'b1;
            stopping <= 1'b0;
        end
    end
endmodule
`default_nettype wire
