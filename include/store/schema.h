#ifndef SCHEMA_H
#define SCHEMA_H

/** What cleave's files hold. Every dataset carries its meaning and unit as attributes; this is the map.
 *  M = latents, d = width, k = active latents a row. ids and rows are 0-based. Row order is corpus order.
 *
 *  activations.h5
 *    /activation          [rows, d] bf16 or f32   residual stream after the layer, raw (multiply by `scale` to train)
 *    /token               [rows] u32              token id at the row
 *    /document            [rows] u32              document number of the row (ascending)
 *    /position            [rows] u32              index of the row's token in its document's tokens
 *    /document_start      [documents + 1] i64     first token of each document in /text_token
 *    /document_held_out   [documents] u8          1: kept from training
 *    /text_token          [tokens] u32            all tokens of all documents (each ends with the end-of-text token,
 *                                                 where the model has one), also those without a row
 *    /vocabulary_start    [vocabulary + 1] i64    first byte of each token in /vocabulary_byte
 *    /vocabulary_byte     [bytes] u8              bytes of the tokens
 *    /mean                [d] f64                 mean of the training rows, raw
 *    attributes: stamp, scale (= sqrt(d / E|x|^2) over training rows), layer, context, model, model_hash,
 *                rows_held_out, median_norm, left_out_first, left_out_special, left_out_norm (counts without a row),
 *                document_rows (0; n: document numbers were missing, runs of n rows are the documents)
 *  dictionaries/NAME.h5
 *    /w_enc [M, d] f32, /w_dec [M, d] f32 (unit rows; zero where the latent has none), /b_enc [M] f32, /b_dec [d] f32
 *    /threshold [M] f32      jumprelu alone: the latent fires where its score exceeds it (gated, relu: 0)
 *    /gain, /offset [M] f32  where there: activation = gain (score + offset), and it must be positive to fire; else
 *                            activation = score. (gated; imported topk, unless the norms of its decoder rows counted)
 *    with a row x (raw row times input_scale): score = w_enc . (x - b_dec, or x where subtract_b_dec is 0) + b_enc;
 *    topk: the k best positive scores of a row fire
 *    attributes: stamp, name, architecture ("topk", "jumprelu", "relu", "gated"), k (0 but for topk), latents, width,
 *                input_scale, subtract_b_dec (0/1), seed, role ("level" or "control"), control_of ("" for a level),
 *                layer (-1: unknown), model_hash, activations (content checksum, "" for imports), tokens_seen,
 *                dead_in_training (-1: unknown for imports), trained_as (train.architecture; not of imports);
 *                imports: source (what the folder was understood as, a sentence), stated_l0 (nan: nobody says)
 *    Rows made elsewhere: tokens and documents may be missing. Without document numbers runs of 128 rows count as
 *    documents; without tokens /text_token is empty; rows known by their codes alone have /activation [rows, 0].
 *  codes/NAME.h5            all stored rows; TopK: the next k latents are stored as inactive (`active` 0)
 *    /row_start           [rows + 1] i64          first entry of each row
 *    /id                  [entries] u32           latent, in each row by descending value (ties: lower id first)
 *    /value               [entries] f32           activation, > 0
 *    /active              [entries] u8            1: fires (topk: among the k of the row)
 *    /feature_start       [M + 1] i64             first firing of each feature
 *    /feature_row         [firings] u32           rows where it fires, ascending
 *    /feature_value       [firings] f32           activation there
 *    /firings [M] i64, /firings_held_out [M] i64, /sum [M] f64, /sum_square [M] f64, /maximum [M] f32,
 *    /log10_density [M] f32 (-inf for none)
 *    /top_row             [M, examples] i64       rows of the largest activations (-1: none)
 *    /label_token         [M, 5] u32              tokens most over-represented where it fires, best first
 *    /interval_row        [M, intervals, per] i64 rows drawn from equal intervals of (0, maximum], highest first
 *    attributes: stamp, name, dictionary, activations (content checksums), rows, k, l0, dead_share, unseen_share,
 *                explained_variance (held-out rows; relative to /mean), share_30 (alive features with at least 30
 *                firings), warning ("too little text" where share_30 < 0.70, else ""), gate (what an imported
 *                dictionary does otherwise than its maker says, a sentence; "" where all is well), l0_class ("small"
 *                below 25, "medium" below 75, "big"), pca_explained_variance (a text of 4 digits, "" where unknown:
 *                what the best l0 directions of the held-out rows explain of them; a note, not content)
 *  evaluation/NAME.h5       the dictionary put into the model, on held-out text
 *    /promoted_token, /suppressed_token [M, n] u32, /promoted_effect, /suppressed_effect [M, n] f32   tokens
 *                         whose logits the feature's direction raises most and lowers most (4294967295: none), and by
 *                         how much: head row . (final norm's weights * direction)
 *    attributes: stamp, name, dictionary, activations (content checksums), model_hash; loss_plain, loss_itself,
 *                loss_mean, loss_zero, loss_rebuilt (nats a token, with the stored kind of rows exchanged for
 *                themselves, their mean, zero, the dictionary's reconstruction), recovered ((zero - rebuilt) /
 *                (zero - plain)) with _low and _high (95 %, contexts as units); contexts, tokens (foretold), rows
 *                (exchanged), held_out (0/1)
 *  neighbours.h5            groups /pair/CHILD/PARENT (CHILD larger, or a control), /self/NAME, /dictionary/NAME
 *    /dictionary/NAME/state [M] u8                0 dead, 1 unseen, 2 alive;   attributes: latents, role, control_of,
 *                                                 effective_dimension; spectrum (a note, no content: "rank:eigenvalue"
 *                                                 of the alive rows' covariance, 6 digits, at most 128 ranks)
 *    /pair/C/P/parent_id  [Mc, K] u32             best parents of each child, descending cosine (4294967295: none)
 *    /pair/C/P/cosine, cosine_centred, encoder_cosine  [Mc, K] f32   (nan: no parent)
 *    /pair/C/P/span_parent [Mc, S] u32, span_weight [Mc, S] f32, span_r2 [Mc] f32, span_mutual [Mc] f32
 *                                                 span fit over the stored parents: parents by descending weight
 *                                                 (4294967295, 0: none), R2_S, cosine of the two heaviest (nan: none)
 *    /pair/C/P/child_id   [Mp, K] u32, /pair/C/P/child_cosine [Mp, K] f32   best children of each parent
 *    /pair/C/P/best_histogram, null_histogram [100] i64   alive children, null children by best cosine, bins of 0.01
 *                         over [0, 1]
 *    /pair/C/P/all_histogram [200] i64            all cosines, bins of 0.01 over [-1, 1], of a keyed sample of
 *                         `sampled_pairs` pairs
 *                         attributes: median_best (nan: no alive child has a parent), share_40, share_50, share_70;
 *                         the simulated null, each with the ends of its 95 % Monte-Carlo interval in _low and _high:
 *                         null_median, null_999 (best cosine), r2_null_median, r2_null_999 (R2_S); null_draws,
 *                         null_rows (keyed rows of the child that its draws are sums of); isotropic_median,
 *                         isotropic_999 at null_dimension (the smaller effective dimension, rounded);
 *                         centred_differs (alive children whose best parent by centred cosine, among those stored, is
 *                         another); certified (children whose list is certified exact: all); sampled_pairs;
 *                         warning ("undertrained" where median_best - null_median < 0.04, else "")
 *    /self/N/id, /self/N/cosine [M, K]            nearest features of the same dictionary, without the feature itself;
 *                                                 absent for the largest level and its controls where
 *                                                 compare.self_largest is false
 *  families.h5              statuses, evidence and the forest; the codes are those of verdict.h. Near duplicates have
 *                           the statuses of what they stand for, carry the flag `duplicate`, and are in no count
 *    attributes: stamp, levels, child_statuses, parent_statuses, flags, evidence (names separated
 *                by spaces, in the order of their codes, "-" for no status; flags are bits), rows,
 *                documents, families (trees of more than one feature), warnings (lines; what the figures
 *                depend on), activations, neighbours (content checksums), seed
 *    /sweep/threshold [41] f64                0.40, 0.41 .. 0.80: link thresholds at which everything is counted
 *    /sweep/families [41] i64                 families of more than one feature
 *    /pair/C/P            every compared pair (controls as children too), by child:
 *      status [Mc] u8, flags [Mc] u8            relative to P
 *      parent [Mc] u32                          pi(c) (4294967295: none)
 *      best_cosine, second_cosine [Mc] f32      of the raw ranking, near duplicates as one (nan: none)
 *      parent_cosine, parent_cosine_centred, parent_encoder_cosine [Mc] f32   with pi(c)
 *      both [Mc] i64, documents [Mc] i64        rows where c and pi(c) fire; documents of c
 *      p, p_low, p_high [Mc] f32                P(parent | child) and its 95 % interval (nan:
 *                                               insufficient evidence)
 *      p_wide [Mc] f32                          the same with the parent among its top 2k
 *      p_child [Mc] f32, lift [Mc] f32          P(child | parent), lift (P(child | parent) n_p / n_c is p)
 *      jaccard [Mc] f32                         rows where both fire / rows where either does
 *      masked_cosine [Mc] f32                   of the activations over the rows where the child fires
 *      matched_rank [Mc] u8, matched_p [Mc] f32 place of P among 16 other parents as frequent as pi(c) (1 best;
 *                                               0: not asked: no link, or too little evidence); their mean P
 *      evidence [Mc] u8                         0 open, 1 no, 2 yes
 *      edge_start [Mc + 1] i64                  the DAG: parents at or above the link, best first (of
 *                                               those in neighbours.h5, near duplicates as one)
 *      edge_parent [edges] u32, edge_cosine, edge_cosine_centred, edge_encoder_cosine [edges] f32,
 *      edge_both, edge_both_wide [edges] i64 (common rows; parent among its top 2k), edge_p [edges] f32,
 *      edge_trials [edges] f32 (effective trials behind it), edge_product [edges] f64 (sum of f_c f_p)
 *      sweep_status [41, statuses] i64, sweep_linked, sweep_merged [41] i64   children at each threshold: of each
 *                                               status, with a link, with two
 *      sweep_null, sweep_false_share [41] f64   links that as many null children have; / sweep_linked
 *      margin_histogram [100] i64               children by best cosine - second one (else the last stored), bins of
 *                                               0.01
 *      novelty [3, 40] i64                      alive, novel, unreplicated children by log2 of their firings
 *      attributes: link, r2_cut, strong, margin, p_min, lift_min, firings_min, documents_min; null_median,
 *                  null_999, r2_null_999 with _low and _high, median_best, certified, centred_differs of
 *                  neighbours.h5; count_STATUS; children (not dead), alive, duplicates, linked (children with an
 *                  edge), link_rate, merge_rate, skip_rate (of `children`), enough (linked children with enough
 *                  evidence); mean_p, mean_lift, mean_p_child, mean_jaccard, mean_masked_cosine (of those, with
 *                  pi(c)), mean_p_all (all children with enough evidence); matched_own_p, matched_other_p,
 *                  matched_first (of children with a rank: mean P, that of the others, share with rank 1);
 *                  forest_edges; crowded_parents (that proposed no duplicates); where C has two smaller levels
 *                  and P is the next: tc_1, tc_5 (the best parent's best parent, or one of the best five's, is the
 *                  direct one), tc_chance (two stored parents by lot agree), chain_jaccard (mean)
 *    /dictionary/N        levels only, by feature:
 *      parent_status [M] u8, flags [M] u8       as a parent; all flags of the feature
 *      representative [M] u32                   itself, or the near duplicate of lower id that it joins
 *      in_forest [M] u8                         1: its edge to pi(c) is in the forest (a duplicate has none)
 *      root_level [M] u8, root [M] u32          index into `levels` of / (255: dead)
 *      forest_children [M] i64, in_degree [M] i64   in_degree: DAG edges from the next larger level
 *      coverage [M] f64                         share of its activation on rows where a forest child
 *                                               fires too (nan: no forest child)
 *      hole_share [M] f64, hamming [M] i64      share of it where an absorbed child fires; rows where either it or
 *                                               some forest child fires, not both (-1: no child)
 *      rebuilt [M] f64                          reconstruction test dR with its forest children: 1 - |f_p d_p - sum f_c
 *                                               d_c|^2 / f_p^2 over its rows (nan: no child, or above 4096)
 *      chain_jaccard [M] f64                    overlap of its descendants two levels up by way of the middle and
 *                                               directly (where there are two larger levels; nan: none)
 *      token_share [M] f64                      of its firings, on its most frequent token
 *      sweep_status [41, statuses] i64          features of each parent status at each threshold
 *      attributes: share_30, l0, architecture, median_best, null_median (relative to the next smaller level),
 *                  too_little_text, undertrained (0/1), duplicates, mass_in_families (share of its activation in
 *                  trees rooted in the smallest level), novel_groups (trees of several features rooted in novel or
 *                  unmatched ones), codes, dictionary (content checksums); all but the largest: count_STATUS
 *                  (parent statuses), parents_with_children, children_mean, _median, _p90, _p99, _most,
 *                  _dispersion (variance / mean), _top_share (under the top 1 % of parents), _expected (alive
 *                  features of the next larger level / alive ones of this), covered_mass,
 *                  hole_mass (shares of its activation), rebuilt (dR of all parents with children together),
 *                  rebuilt_better (share of them with dR > 0), holes (parents with one), mean_hamming
 *    /family              trees rooted in the smallest level, also those of one feature:
 *      root [F] u32, size [F, levels] i64       features of each level
 *      kept, split, absorbed, open [F, levels] i64   of these: kept, split (with or without `?`); with `?`
 *      attached [F, levels] i64                 ambiguous, composed and related features whose pi(c) is in the tree
 *      mass, coverage, rebuilt [F] f64          of the root: activation sum, coverage, dR
 *      purity [F] f64, entropy [F] f64          metrics.h
 *      replicated [F] u8                        1: one of its features splits in a twin too; 0: none
 *                                               does; 2: there is no twin
 *    /replication/T/P     twin T, by feature of the level P:
 *      children [Mp, 2] i64                     forest children in the level that T is a twin of,
 *                                               and in T
 *      sweep [41, 4] f64                        correlation, correlation_within, split_again, split_any
 *      attributes: level (that T is a twin of), parents (neither dead nor duplicates), correlation,
 *                  correlation_within (16 bins of the parents' firing rate), split_again (of the
 *                  parents with >= 2 children in the level: share that has in T too), split_any
 *                  (share of all parents with >= 2 children in T), link_rate, twin_link_rate (of children)
 */
#define SCHEMA_ACTIVATIONS "activations 1"
#define SCHEMA_DICTIONARY "dictionary 1"
#define SCHEMA_CHECKPOINT "checkpoint 2"
#define SCHEMA_CODES "codes 2"
#define SCHEMA_EVALUATION "evaluation 1"
#define SCHEMA_NEIGHBOURS "neighbours 2"
#define SCHEMA_FAMILIES "families 3"

/** "No entry" in u32 id datasets. */
#define SCHEMA_NO_ID 4294967295u

#endif
