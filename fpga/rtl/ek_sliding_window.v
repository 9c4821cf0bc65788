// The windows of an image (or of a vector), word by word, from a buffer of its latest rows.
//
// The image comes in row by row, place by place, FOLDS words a place. For every place of the kernel
// on the image (OUT_H x OUT_W, steps STRIDE_*) the window is sent REPEAT times: its rows, in them its
// columns, in them the FOLDS words; with CHANNELS_OUTER each of the FOLDS words in turn, REPEAT times,
// and for it rows and columns. A cell outside the image (PAD_TOP rows above, PAD_LEFT columns to the
// left, and to the right and below as many as OUT_H and OUT_W ask for) is PAD_VALUE with out_pad set.
// A vector is an image of one place; its buffer keeps it while each neuron reads it.
//
// DEPTH, a power of two, is the buffer in words. It must hold what a window spans,
// ((KERNEL_H - 1) * DILATION_H * WIDTH + (KERNEL_W - 1) * DILATION_W + 1) * FOLDS words, or both sides
// wait for ever; what it holds beyond that is how far the producer may run ahead.
//
// Timing: a word that completes a window starts it two clocks later; then one word a clock. `lead` is
// words written less words that the current window needs, as if the image went on below and to the
// right; `whole` counts images that are in completely, whose last windows need nothing more.
// Cost: DEPTH x WORD bits of block RAM (64 bits at most in registers), about 60 to 150 LUT4.
`default_nettype none

module ek_sliding_window #(
    parameter WORD = 8,
    parameter FOLDS = 1,
    parameter HEIGHT = 1,
    parameter WIDTH = 1,
    parameter KERNEL_H = 1,
    parameter KERNEL_W = 1,
    parameter STRIDE_H = 1,
    parameter STRIDE_W = 1,
    parameter DILATION_H = 1,
    parameter DILATION_W = 1,
    parameter PAD_TOP = 0,
    parameter PAD_LEFT = 0,
    parameter OUT_H = 1,
    parameter OUT_W = 1,
    parameter REPEAT = 1,
    parameter CHANNELS_OUTER = 0,
    parameter DEPTH = 256,
    parameter [WORD-1:0] PAD_VALUE = {WORD{1'b0}}
) (
    input  wire            clk,
    input  wire            rst,
    input  wire            in_valid,
    output wire            in_ready,
    input  wire [WORD-1:0] in_data,
    output reg             out_valid,
    input  wire            out_ready,
    output wire [WORD-1:0] out_data,
    output wire            out_pad
);
    localparam TOTAL = HEIGHT * WIDTH * FOLDS;
    localparam LINE = WIDTH * FOLDS;
    localparam ROWS = (KERNEL_H - 1) * DILATION_H;
    localparam COLS = (KERNEL_W - 1) * DILATION_W;
    localparam SPAN = (ROWS * WIDTH + COLS + 1) * FOLDS;
    localparam START = -(PAD_TOP * WIDTH + PAD_LEFT) * FOLDS;
    // How far the window moves: to the next column, to the next row, to the next image.
    localparam MOVE_COL = STRIDE_W * FOLDS;
    localparam MOVE_ROW = (STRIDE_H * WIDTH - (OUT_W - 1) * STRIDE_W) * FOLDS;
    localparam MOVE_IMAGE = TOTAL - ((OUT_H - 1) * STRIDE_H * WIDTH + (OUT_W - 1) * STRIDE_W) * FOLDS;
    // The last window needs words that this image does not have.
    localparam BEYOND = START + TOTAL - MOVE_IMAGE + SPAN > TOTAL ? 1 : 0;
    // Windows that lie in the padding alone begin behind words that later ones still need: so many.
    localparam COLUMN = (OUT_W - 1) * STRIDE_W - PAD_LEFT;
    localparam OVER_ROW = COLUMN - STRIDE_H * WIDTH;
    localparam OVER_IMAGE = ((OUT_H - 1) * STRIDE_H - PAD_TOP - HEIGHT) * WIDTH + COLUMN;
    localparam OVER = OVER_ROW > OVER_IMAGE ? OVER_ROW : OVER_IMAGE;
    localparam SLACK = OVER > 0 ? OVER * FOLDS : 0;
    localparam OUTSIDE = PAD_TOP > 0 || PAD_LEFT > 0 || (OUT_H - 1) * STRIDE_H + ROWS - PAD_TOP >= HEIGHT
        || (OUT_W - 1) * STRIDE_W + COLS - PAD_LEFT >= WIDTH ? 1 : 0;
    // Steps of the read address inside a window, from the last word of each inner loop.
    localparam STEP_0 = CHANNELS_OUTER != 0 ? DILATION_W * FOLDS : 1;
    localparam STEP_COL = DILATION_W * FOLDS - (FOLDS - 1);
    localparam STEP_ROW = DILATION_H * LINE - COLS * FOLDS - (CHANNELS_OUTER != 0 ? 0 : FOLDS - 1);
    localparam BACK = CHANNELS_OUTER != 0 ? SPAN - FOLDS : SPAN - 1;

    localparam BITS = DEPTH > 1 ? $clog2(DEPTH) : 1;
    localparam LEAD_BITS = $clog2(TOTAL + LINE + 2 * SPAN + SLACK + DEPTH + PAD_TOP * LINE + PAD_LEFT * FOLDS + 2) + 1;
    localparam WHOLE_BITS = $clog2(DEPTH / TOTAL + 2) + 1;
    localparam FOLD_BITS = FOLDS > 1 ? $clog2(FOLDS) : 1;
    localparam KW_BITS = KERNEL_W > 1 ? $clog2(KERNEL_W) : 1;
    localparam KH_BITS = KERNEL_H > 1 ? $clog2(KERNEL_H) : 1;
    localparam REPEAT_BITS = REPEAT > 1 ? $clog2(REPEAT) : 1;
    localparam OW_BITS = OUT_W > 1 ? $clog2(OUT_W) : 1;
    localparam OH_BITS = OUT_H > 1 ? $clog2(OUT_H) : 1;
    localparam TOTAL_BITS = TOTAL > 1 ? $clog2(TOTAL) : 1;
    localparam [31:0] FOLD_LAST = FOLDS - 1;
    localparam [31:0] KW_LAST = KERNEL_W - 1;
    localparam [31:0] KH_LAST = KERNEL_H - 1;
    localparam [31:0] REPEAT_LAST = REPEAT - 1;
    localparam [31:0] OW_LAST = OUT_W - 1;
    localparam [31:0] OH_LAST = OUT_H - 1;
    localparam [31:0] TOTAL_LAST = TOTAL - 1;
    localparam [31:0] A_0 = STEP_0;
    localparam [31:0] A_COL = STEP_COL;
    localparam [31:0] A_ROW = STEP_ROW;
    localparam [31:0] A_REPEAT = -BACK;
    localparam [31:0] A_FOLD = 1 - BACK;
    localparam [31:0] A_NEXT_COL = MOVE_COL - (SPAN - 1);
    localparam [31:0] A_NEXT_ROW = MOVE_ROW - (SPAN - 1);
    localparam [31:0] A_NEXT_IMAGE = MOVE_IMAGE - (SPAN - 1);
    localparam [31:0] A_START = START;
    localparam [31:0] L_START = -(START + SPAN);
    localparam [31:0] L_ROOM = DEPTH - SPAN - SLACK;
    localparam [31:0] L_COL = -MOVE_COL;
    localparam [31:0] L_ROW = -MOVE_ROW;
    localparam [31:0] L_IMAGE = -MOVE_IMAGE;

    reg [BITS-1:0] write_place, place;
    reg signed [LEAD_BITS-1:0] lead;
    reg [FOLD_BITS-1:0] fold;
    reg [KW_BITS-1:0] kx;
    reg [KH_BITS-1:0] ky;
    reg [REPEAT_BITS-1:0] again;
    reg [OW_BITS-1:0] ox;
    reg [OH_BITS-1:0] oy;

    wire whole;
    wire write = in_valid & in_ready;
    wire step = (~lead[LEAD_BITS-1] | whole) & (~out_valid | out_ready);
    assign in_ready = lead < $signed(L_ROOM[LEAD_BITS-1:0]);

    // The loops: what ends with this word.
    wire fold_last = fold == FOLD_LAST[FOLD_BITS-1:0];
    wire kx_last = kx == KW_LAST[KW_BITS-1:0];
    wire ky_last = ky == KH_LAST[KH_BITS-1:0];
    wire again_last = again == REPEAT_LAST[REPEAT_BITS-1:0];
    wire ox_last = ox == OW_LAST[OW_BITS-1:0];
    wire oy_last = oy == OH_LAST[OH_BITS-1:0];
    wire kx_moves = CHANNELS_OUTER != 0 ? 1'b1 : fold_last;
    wire ky_moves = kx_moves & kx_last;
    wire again_moves = ky_moves & ky_last;
    wire fold_moves = CHANNELS_OUTER != 0 ? again_moves & again_last : 1'b1;
    wire window_done = again_moves & again_last & fold_last;
    wire row_done = window_done & ox_last;
    wire image_done = row_done & oy_last;

    reg [BITS-1:0] move;
    always @* begin
        if (image_done) move = A_NEXT_IMAGE[BITS-1:0];
        else if (row_done) move = A_NEXT_ROW[BITS-1:0];
        else if (window_done) move = A_NEXT_COL[BITS-1:0];
        else if (CHANNELS_OUTER != 0 && again_moves && again_last) move = A_FOLD[BITS-1:0];
        else if (again_moves) move = A_REPEAT[BITS-1:0];
        else if (ky_moves) move = A_ROW[BITS-1:0];
        else if (kx_moves && CHANNELS_OUTER == 0) move = A_COL[BITS-1:0];
        else move = A_0[BITS-1:0];
    end

    reg signed [LEAD_BITS-1:0] less;
    always @* begin
        if (~(step & window_done)) less = {LEAD_BITS{1'b0}};
        else if (image_done) less = L_IMAGE[LEAD_BITS-1:0];
        else if (row_done) less = L_ROW[LEAD_BITS-1:0];
        else less = L_COL[LEAD_BITS-1:0];
    end

    wire [WORD-1:0] kept;
    generate
        if (DEPTH * WORD > 64) begin : g_block
            (* ram_style = "block" *) reg [WORD-1:0] memory[0:DEPTH-1];
            reg [WORD-1:0] word;
            always @(posedge clk) if (write) memory[write_place] <= in_data;
            always @(posedge clk) if (step) word <= memory[place];
            assign kept = word;
        end else begin : g_logic
            (* ram_style = "logic" *) reg [WORD-1:0] memory[0:DEPTH-1];
            reg [WORD-1:0] word;
            always @(posedge clk) if (write) memory[write_place] <= in_data;
            always @(posedge clk) if (step) word <= memory[place];
            assign kept = word;
        end
    endgenerate

    always @(posedge clk) begin
        if (write) write_place <= write_place + 1'b1;
        lead <= lead + less + $signed({{LEAD_BITS - 1{1'b0}}, write});
        if (step) begin
            place <= place + move;
            if (fold_moves) fold <= fold_last ? {FOLD_BITS{1'b0}} : fold + 1'b1;
            if (kx_moves) kx <= kx_last ? {KW_BITS{1'b0}} : kx + 1'b1;
            if (ky_moves) ky <= ky_last ? {KH_BITS{1'b0}} : ky + 1'b1;
            if (again_moves) again <= again_last ? {REPEAT_BITS{1'b0}} : again + 1'b1;
            if (window_done) ox <= ox_last ? {OW_BITS{1'b0}} : ox + 1'b1;
            if (row_done) oy <= oy_last ? {OH_BITS{1'b0}} : oy + 1'b1;
        end
        if (step) out_valid <= 1'b1;
        else if (out_ready) out_valid <= 1'b0;
        if (rst) begin
            write_place <= {BITS{1'b0}};
            place <= A_START[BITS-1:0];
            lead <= L_START[LEAD_BITS-1:0];
            fold <= {FOLD_BITS{1'b0}};
            kx <= {KW_BITS{1'b0}};
            ky <= {KH_BITS{1'b0}};
            again <= {REPEAT_BITS{1'b0}};
            ox <= {OW_BITS{1'b0}};
            oy <= {OH_BITS{1'b0}};
            out_valid <= 1'b0;
        end
    end

    generate
        if (BEYOND != 0) begin : g_whole
            reg [TOTAL_BITS-1:0] written;
            reg [WHOLE_BITS-1:0] images;
            wire image_in = write & (written == TOTAL_LAST[TOTAL_BITS-1:0]);
            wire image_out = step & image_done;
            assign whole = images != {WHOLE_BITS{1'b0}};
            always @(posedge clk) begin
                if (write) written <= image_in ? {TOTAL_BITS{1'b0}} : written + 1'b1;
                if (image_in & ~image_out) images <= images + 1'b1;
                else if (image_out & ~image_in) images <= images - 1'b1;
                if (rst) begin
                    written <= {TOTAL_BITS{1'b0}};
                    images  <= {WHOLE_BITS{1'b0}};
                end
            end
        end else begin : g_no_whole
            assign whole = 1'b0;
            wire unused = &{1'b0, TOTAL_LAST, 1'b0};
        end

        if (OUTSIDE != 0) begin : g_outside
            localparam ROW_BITS = $clog2((OUT_H - 1) * STRIDE_H + ROWS + HEIGHT + PAD_TOP + 1) + 1;
            localparam COL_BITS = $clog2((OUT_W - 1) * STRIDE_W + COLS + WIDTH + PAD_LEFT + 1) + 1;
            localparam [31:0] TOP = -PAD_TOP;
            localparam [31:0] LEFT = -PAD_LEFT;
            localparam [31:0] UNDER = HEIGHT;
            localparam [31:0] RIGHT = WIDTH;
            localparam [31:0] DOWN = STRIDE_H;
            localparam [31:0] ACROSS = STRIDE_W;
            localparam [31:0] DOWN_IN = DILATION_H;
            localparam [31:0] ACROSS_IN = DILATION_W;
            reg signed [ROW_BITS-1:0] row, row_first;
            reg signed [COL_BITS-1:0] col, col_first;
            wire signed [ROW_BITS-1:0] row_next =
                image_done ? TOP[ROW_BITS-1:0] : row_first + DOWN[ROW_BITS-1:0];
            wire signed [COL_BITS-1:0] col_next =
                row_done ? LEFT[COL_BITS-1:0] : col_first + ACROSS[COL_BITS-1:0];
            wire pad = row[ROW_BITS-1] | col[COL_BITS-1] | (row >= $signed(UNDER[ROW_BITS-1:0]))
                | (col >= $signed(RIGHT[COL_BITS-1:0]));
            reg pad_kept;
            always @(posedge clk) begin
                if (step) begin
                    pad_kept <= pad;
                    if (row_done) begin
                        row <= row_next;
                        row_first <= row_next;
                    end else if (again_moves) row <= row_first;
                    else if (ky_moves) row <= row + DOWN_IN[ROW_BITS-1:0];
                    if (window_done) begin
                        col <= col_next;
                        col_first <= col_next;
                    end else if (ky_moves) col <= col_first;
                    else if (kx_moves) col <= col + ACROSS_IN[COL_BITS-1:0];
                end
                if (rst) begin
                    row <= TOP[ROW_BITS-1:0];
                    row_first <= TOP[ROW_BITS-1:0];
                    col <= LEFT[COL_BITS-1:0];
                    col_first <= LEFT[COL_BITS-1:0];
                end
            end
            assign out_pad  = pad_kept;
            assign out_data = pad_kept ? PAD_VALUE : kept;
        end else begin : g_inside
            assign out_pad  = 1'b0;
            assign out_data = kept;
            wire unused = &{1'b0, PAD_VALUE, 1'b0};
        end
    endgenerate
endmodule

`default_nettype wire
