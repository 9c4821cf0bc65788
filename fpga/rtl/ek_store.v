// Keeps network inputs in block RAM and SPRAM: written byte by byte as they come over the link, read
// WIDTH bits at a time. A read and a write never come together.
//
// A slot holds one input: BYTES bytes on the wire, of which those whose bit is set in KEEP are
// stored, WIDTH bits a word; the first word of a beat has only its upper bytes, from SKIP on.
// `write_home` moves the write position to slot 0 and `write_spare` to
// the slot behind the last one, which is for inputs that come inside a request; writing goes on
// from slot to slot. Words are stored as they come, or where a nest of LOOPS loops leads: COUNTS has
// 16 bits for the count of each loop, the innermost lowest, and JUMPS what is added to the address
// when a loop goes on and those inside of it begin again; above them, what leads to the next slot.
// That transposes an image while it comes in. `read` brings word `read_addr` to `read_data`, which
// holds it until the next read or write. Timing: one clock. Cost: for each 16 bits of WIDTH 1 EBR
// for 256 words or, for the SPRAM_BITS lowest, 1 SPRAM for 16,384; about 40 LUT4.
`default_nettype none

module ek_store #(
    parameter integer WIDTH = 8,             // a multiple of 8
    parameter integer BYTES = 1,             // of an input on the wire
    parameter [BYTES-1:0] KEEP = {BYTES{1'b1}},
    parameter integer WORDS = 1,             // words of an input
    parameter integer PIECES = 1,            // ... of a beat
    parameter integer SKIP = 0,              // bytes that the first word of a beat leaves out
    parameter integer SLOTS = 64,
    parameter integer SPRAM_BITS = 0,        // of WIDTH, in SPRAM: a multiple of 16, or WIDTH
    parameter integer LOOPS = 0,
    parameter [16*LOOPS+15:0] COUNTS = 16'd0,  // the uppermost is not used
    parameter [16*LOOPS+15:0] JUMPS = 16'd1,   // modulo 2^16
    parameter integer ADDR_BITS = 7          // $clog2((SLOTS + 1) * WORDS)
) (
    input  wire                 clk,
    input  wire                 rst,
    input  wire                 write_home,
    input  wire                 write_spare,
    input  wire                 write,
    input  wire [7:0]           write_data,
    input  wire                 read,
    input  wire                 read_first,  // the word is the first one of a beat
    input  wire [ADDR_BITS-1:0] read_addr,
    output wire [WIDTH-1:0]     read_data
);
    localparam integer DEPTH = (SLOTS + 1) * WORDS;
    localparam integer LANES = WIDTH / 8;
    localparam integer LANE_BITS = (LANES > 1) ? $clog2(LANES) : 1;
    localparam integer BYTE_BITS = (BYTES > 1) ? $clog2(BYTES) : 1;
    localparam integer SPARE = SLOTS * WORDS;
    localparam integer LAST_LANE = LANES - 1;
    localparam integer LAST_BYTE = BYTES - 1;
    localparam integer PIECE_BITS = (PIECES > 1) ? $clog2(PIECES) : 1;
    localparam integer LAST_PIECE = PIECES - 1;

    reg [ADDR_BITS-1:0] addr;
    reg [LANE_BITS-1:0] lane;
    reg [7:0] held;  // the lower half of a 16-bit piece

    // Which byte of the input is next, and whether it is stored.
    wire keep;
    generate
        if (&KEEP) begin : g_all
            assign keep = 1'b1;
        end else begin : g_some
            reg [BYTE_BITS-1:0] at;
            assign keep = KEEP[at];
            always @(posedge clk) begin
                if (write) at <= (at == LAST_BYTE[BYTE_BITS-1:0]) ? {BYTE_BITS{1'b0}} : at + 1'b1;
                if (rst || write_home || write_spare) at <= {BYTE_BITS{1'b0}};
            end
        end
    endgenerate

    wire take = write && keep;
    wire unused = (&piece);  // with lanes of one byte
    wire last_lane = (lane == LAST_LANE[LANE_BITS-1:0]);

    // Where the next word begins.
    wire [LANE_BITS-1:0] start;
    generate
        if (SKIP == 0) begin : g_even
            assign start = {LANE_BITS{1'b0}};
        end else begin : g_uneven
            reg [PIECE_BITS-1:0] part;  // of the beat
            wire last_part = (part == LAST_PIECE[PIECE_BITS-1:0]);
            assign start = last_part ? SKIP[LANE_BITS-1:0] : {LANE_BITS{1'b0}};
            always @(posedge clk) begin
                if (take && last_lane) part <= last_part ? {PIECE_BITS{1'b0}} : part + 1'b1;
                if (rst || write_home || write_spare) part <= {PIECE_BITS{1'b0}};
            end
        end
    endgenerate

    wire [15:0] jump;  // from this word's place to the next one's
    wire jump_unused = (&jump);
    genvar i;
    generate
        if (LOOPS == 0) begin : g_as_it_comes
            assign jump = JUMPS;
        end else begin : g_nest
            // Bit i: all loops below i are at their last round. Piece i: from loop i or outwards.
            wire [LOOPS:0] inner_done  /* verilator split_var */;
            wire [16*LOOPS+15:0] onward  /* verilator split_var */;
            assign inner_done[0] = 1'b1;
            assign onward[16*LOOPS +: 16] = JUMPS[16*LOOPS +: 16];
            assign jump = onward[15:0];
            wire done_unused = inner_done[LOOPS];
            for (i = 0; i < LOOPS; i = i + 1) begin : g_loop
                localparam [15:0] LAST = COUNTS[16*i +: 16] - 16'd1;
                localparam integer BITS = $clog2(LAST + 16'd1);
                reg [BITS-1:0] round;
                wire done = (round == LAST[BITS-1:0]);
                assign inner_done[i+1] = inner_done[i] && done;
                assign onward[16*i +: 16] = done ? onward[16*i+16 +: 16] : JUMPS[16*i +: 16];
                always @(posedge clk) begin
                    if (take && last_lane && inner_done[i])
                        round <= done ? {BITS{1'b0}} : round + 1'b1;
                    if (rst || write_home || write_spare) round <= {BITS{1'b0}};
                end
            end
        end
    endgenerate

    always @(posedge clk) begin
        if (take) begin
            held <= write_data;
            lane <= last_lane ? start : lane + 1'b1;
            if (last_lane) addr <= addr + jump[ADDR_BITS-1:0];
        end
        if (rst || write_home || write_spare) begin
            lane <= SKIP[LANE_BITS-1:0];
            addr <= write_spare ? SPARE[ADDR_BITS-1:0] : {ADDR_BITS{1'b0}};
        end
    end

    // Pieces of 16 bits, the width of a memory: each byte writes its whole piece, the lower one
    // with something above it that the upper one replaces. Nobody reads what is being written.
    wire [15:0] piece = {write_data, lane[0] ? held : write_data};
    wire [ADDR_BITS-1:0] only = take ? addr : read_addr;  // of memories with one port
    wire only_unused = (&only);
    generate
        for (i = 0; i < (LANES + 1) / 2; i = i + 1) begin : g_piece
            localparam integer LOW = 2 * i, HIGH = 2 * i + 1;
            localparam integer BITS = (HIGH < LANES) ? 16 : 8;
            wire mine = (lane == LOW[LANE_BITS-1:0]) || (lane == HIGH[LANE_BITS-1:0]);
            wire asked = read && !(HIGH < SKIP && read_first);
            wire here = take && ((BITS == 8) ? last_lane : mine);
            if (LOW < SPRAM_BITS / 8) begin : g_spram
                ek_spram_lane #(.BITS(BITS), .DEPTH(DEPTH), .ADDR_BITS(ADDR_BITS)) u_lane (
                    .clk(clk), .write(here), .read(asked), .addr(only), .write_data(piece[BITS-1:0]),
                    .read_data(read_data[16*i +: BITS])
                );
            end else begin : g_ebr
                (* no_rw_check *) reg [BITS-1:0] memory [0:DEPTH-1];
                reg [BITS-1:0] out;
                always @(posedge clk) begin
                    if (here) memory[addr] <= piece[BITS-1:0];
                    if (asked) out <= memory[read_addr];
                end
                assign read_data[16*i +: BITS] = out;
            end
        end
    endgenerate
endmodule
`default_nettype wire
