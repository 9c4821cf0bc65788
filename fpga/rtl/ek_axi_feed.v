// Runs inferences over stored inputs on its own: `n` of them over slots first..first+count-1 in
// turn, in groups of `batch` that start every `period` clocks (0: one after the other).
//
// The next inference is fed when the result of the one before has been stored (`result`). After the
// last group its period passes too. `missed` counts the periods that were over before their group
// was; they are not caught up. `clocks` counts from the start to the end. `stop` ends it after the
// inference under way.
//
// Parameters: WORDS of a slot, ADDR_WIDTH of the store.
// Timing: the first word is valid two clocks after `start`, then a word a clock.
// Cost: about 260 flip-flops.
`default_nettype none

module ek_axi_feed #(
    parameter WORDS = 1,
    parameter ADDR_WIDTH = 16
) (
    input  wire                  clk,
    input  wire                  rst,
    input  wire                  start,
    input  wire                  stop,
    input  wire [15:0]           first,
    input  wire [15:0]           count,
    input  wire [31:0]           n,
    input  wire [15:0]           batch,
    input  wire [31:0]           period,
    input  wire                  result,

    output wire                  store_en,  // read: data is there in the next clock
    output wire [ADDR_WIDTH-1:0] store_addr,
    output reg                   out_valid,
    input  wire                  out_ready,
    output reg                   out_last,

    output reg                   busy,
    output reg  [31:0]           done,
    output reg  [31:0]           missed,
    output reg  [63:0]           clocks
);
    localparam [31:0] STRIDE = WORDS;

    reg                   sending;
    reg                   ending;
    reg                   waiting;
    reg [ADDR_WIDTH-1:0]  base;
    reg [ADDR_WIDTH-1:0]  addr;
    reg [31:0]            left;
    reg [15:0]            slot;
    reg [15:0]            member;
    reg [31:0]            timer;

    wire [31:0] first_base = {16'd0, first} * STRIDE;
    wire        all_done = done + 32'd1 == n || ending;
    wire        group_done = member + 16'd1 == batch || all_done;
    wire        last_slot = slot + 16'd1 == count;
    wire        late = timer > period;
    wire        advance = !out_valid || out_ready;
    wire        last_group = done == n || ending;
    wire        period_over = period == 32'd0 || timer + 32'd1 >= period;

    assign store_en = advance && sending && left != 32'd0;
    assign store_addr = addr;

    always @(posedge clk) begin
        timer <= timer + 32'd1;
        ending <= ending || stop;
        if (busy) begin
            clocks <= clocks + 64'd1;
        end
        if (advance) begin
            out_valid <= store_en;
            out_last <= left == 32'd1;
        end
        if (store_en) begin
            addr <= addr + {{(ADDR_WIDTH - 1) {1'b0}}, 1'b1};
            left <= left - 32'd1;
        end
        if (busy && result) begin
            done <= done + 32'd1;
            slot <= last_slot ? 16'd0 : slot + 16'd1;
            base <= last_slot ? first_base[ADDR_WIDTH-1:0] : base + STRIDE[ADDR_WIDTH-1:0];
            addr <= last_slot ? first_base[ADDR_WIDTH-1:0] : base + STRIDE[ADDR_WIDTH-1:0];
            left <= STRIDE;
            sending <= !group_done;
            waiting <= group_done;
            member <= group_done ? 16'd0 : member + 16'd1;
            if (group_done && late && period != 32'd0) begin
                missed <= missed + 32'd1;
            end
        end
        if (waiting && period_over) begin
            waiting <= 1'b0;
            timer <= 32'd0;
            sending <= !last_group;
            busy <= !last_group;
        end
        if (start && !busy) begin
            busy <= n != 32'd0;
            sending <= n != 32'd0;
            ending <= 1'b0;
            waiting <= 1'b0;
            base <= first_base[ADDR_WIDTH-1:0];
            addr <= first_base[ADDR_WIDTH-1:0];
            left <= STRIDE;
            slot <= 16'd0;
            member <= 16'd0;
            timer <= 32'd0;
            done <= 32'd0;
            missed <= 32'd0;
            clocks <= 64'd0;
        end
        if (rst) begin
            busy <= 1'b0;
            sending <= 1'b0;
            waiting <= 1'b0;
            out_valid <= 1'b0;
        end
    end

    wire unused = &{1'b0, first_base, STRIDE};
endmodule

`default_nettype wire
