// Sleep: stops the main oscillator between inferences and while nobody talks, and wakes it.
//
// Runs on `slow_clk` (10 kHz), which never stops. With `timed`, `tick` pulses every `period` + 1 slow
// clocks, awake or not. `sleep`, held, puts `awake` low (the oscillator off) a slow clock later;
// the next tick, or the start bit of a byte on `rx`, puts it high again; the byte itself is lost,
// since the oscillator needs longer to start. `woken` is then high until `sleep` falls. A tick that
// comes while `sleep` rises is not slept through: the one that asks lowers `sleep` at a tick.
// Cost: about 64 LUT4.
`default_nettype none

module ek_clock (
    input  wire        clk,
    input  wire        rst,
    input  wire        slow_clk,
    input  wire        rx,
    input  wire        sleep,
    input  wire        timed,
    input  wire [23:0] period,
    input  wire [23:0] skip,       // as in ek_shell
    output wire [23:0] ahead,
    output wire        still,      // slow clocks change nothing
    output wire        awake,
    output wire        tick,
    output wire        woken
);
    // The slow side. Its inputs change at most once in many slow clocks; one flip-flop is enough,
    // because it has a slow clock to settle.
    reg sleep_seen = 1'b0;
    reg timed_seen = 1'b0;
    reg expired = 1'b0;     // in the slow clock before
    reg turn = 1'b0;        // changes at each tick
    reg armed = 1'b0;       // this `sleep` has been slept, or is being
    reg asleep = 1'b0;
    reg [23:0] count;
    wire [24:0] later = {1'b0, count} - 25'd1 - {1'b0, skip};
    wire expire = timed_seen && later[24];
    wire enter = sleep_seen && !armed && !expired && !expire;
    wire rouse = !rx || rst;

    always @(posedge slow_clk) begin
        sleep_seen <= sleep;
        timed_seen <= timed;
        expired <= expire;
        turn <= turn ^ expire;
        armed <= sleep_seen && (armed || enter);
        count <= (!timed_seen || expire) ? period : later[23:0];
    end

    always @(posedge slow_clk or posedge rouse) begin
        if (rouse) asleep <= 1'b0;
        else asleep <= enter || (asleep && !expire && sleep_seen);
    end

    // The main side.
    reg [2:0] turns = 3'd0;
    reg [1:0] wakes = 2'd0;

    assign awake = !asleep;
    assign still = !(sleep || sleep_seen || timed || timed_seen || expired || armed || asleep);
    wire deep = asleep && armed && sleep_seen && timed_seen && !expired;
    assign ahead = (deep && count > 24'd2) ? count - 24'd2 : 24'd0;
    assign tick = turns[2] ^ turns[1];
    assign woken = wakes[1];

    always @(posedge clk) begin
        turns <= {turns[1:0], turn};
        wakes <= {wakes[0], armed && !asleep};
    end
endmodule
`default_nettype wire
