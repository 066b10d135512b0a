/* Of the features, in the order of evidence.h; evidence.c says where they are from. */
static const double weights_words[EVIDENCE_N_FEATURES] = {
    3, 1, 1, 1, 0, 0.5, 1, 0.5, 0.5, 0.2, 0.3, -0.7, -0.7, -0.5, -0.2, -1, -2, -1};
static const double bias_words = -2;
static const double weights_embedded[EVIDENCE_N_FEATURES] = {
    2, 1, 1, 1, 4, 0.5, 1, 0.5, 0.5, 0.2, 0.3, -0.7, -0.7, -0.5, -0.2, -1, -2, -1};
static const double bias_embedded = -4;
