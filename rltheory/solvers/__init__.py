"""One file an algorithm; each solver is a frozen value with one method `run(model)`."""

from ..lazy import attach

__getattr__, __dir__, __all__ = attach(
    __name__,
    {
        "agents": (
            "Agent BernsteinBonus CompiledLearner EULER ExploreThenCommit Learner MVP PSRL QUCB RandomAgent "
            "Task UCBVI UCRL2 lower_bound"
        ),
        "agents.latent": "LatentOptimism LatentPlan LatentRun",
        "agents.merged": "MergedAgent",
        "anchored": "AnchoredValueIteration",
        "atom_evaluation": "AtomEvaluation",
        "average_reward": "AverageReward average_value gain_bounds policy_laurent",
        "backward_induction": "BackwardInduction evaluate_horizon",
        "banded": "BandedPolicyIteration",
        "batched": "BatchSolution evaluate_batch occupancy_batch solve_batch",
        "batched_horizon": "BatchHorizonSolution solve_horizon_batch",
        "blackwell": "Blackwell",
        "choice": "Portfolio",
        "completion": "Completion alternating_least_squares nuclear_norm_completion soft_impute",
        "constrained": "ConstrainedLP ConstrainedSolution",
        "coverability": "Coverability coverability_coefficient",
        "cross_entropy": "CrossEntropyTD EncodedValue",
        "distributional": "CategoricalEvaluation QuantileEvaluation",
        "evaluation": "advantage evaluate",
        "extraction": "awr awr_balls awr_value greedy_in_support",
        "flow_td": "FlowTD FlowValue",
        "function_classes": "FunctionClasses ModelClasses",
        "gauss_seidel": "GaussSeidel",
        "gfucb": "GFUCB MultitaskRun known_representation_bound",
        "gittins": "GittinsIndex bandit_mdp gittins_index index_policy",
        "glow": "GLOW GLOWRun glow_regret_bound pairwise_glow",
        "history_policies": "history_laws history_optimum",
        "hitting": "diameter hitting_times",
        "hybrid": "FQI H2O MABO MLE HybridRun OfflineLearner hyglow optimal_concentrability",
        "implicit_q": "ImplicitQ ImplicitQIteration in_support_optimum revealed support_model",
        "integral_rl": (
            "IntegralRL Kleinman PolicyIterates QuadratureIteration quadrature_fixed_point window_rule"
        ),
        "krylov": "InexactPolicyIteration",
        "latent": "LatentPlanner",
        "latent_alpha": "AlphaDP AlphaSets alpha_sets",
        "latent_belief": "BeliefDP",
        "latent_bounds": "BestMarkov BestOpenLoop Oracle QMDP context_values qmdp_policy",
        "latent_points": "PointBased",
        "latent_variance": "largest_variance latent_moments variance_bound",
        "latent_curve": "LatentAgent latent_regret",
        "linear_program": "LinearProgram",
        "low_rank": "LowRankQ LowRankResult LowRankSchedule",
        "low_rank_nets": "UnitCubeTask low_rank_continuous",
        "martingale": "CTDRoot GMMRoot MartingaleLossRoot MartingaleSolution MeanSquareTDRoot",
        "martingale_data": "LinearCandidate Schedule SmoothCandidate",
        "martingale_estimate": "LearnedValue time_step_bias",
        "martingale_family": "ValueFamily",
        "martingale_learners": "CTDLearner GradientTDLearner MartingaleLossLearner ResidualGradientLearner",
        "martingale_least_squares": "CLSTDLearner GMMLearner LeastSquaresLearner",
        "lyapunov": "CertifiedMatrix solve_discrete_lyapunov solve_lyapunov solve_riccati",
        "modified_policy_iteration": "ModifiedPolicyIteration",
        "policy_gradient": "NaturalPolicyGradient PolicyMirrorDescent",
        "policy_iteration": "PolicyIteration",
        "portfolio": "solve",
        "probe": "Components Probe",
        "regularised": "SoftPolicyIteration SoftValueIteration soft_bellman soft_evaluate soft_policy",
        "regret_curve": "RegretCurve RegretTable plot_horizons regret_table",
        "regret_engine": "regret regret_by_horizon",
        "reward_regret": (
            "PolicyOrder WorstCaseRegret optimal_regret reward_extremes reward_range same_policy_order "
            "worst_case_regret"
        ),
        "shared_heads": "JointConfidence Optimistic joint_confidence",
        "small": "SmallDense",
        "ssp": "SSPSolver all_proper evaluate_ssp expected_steps is_proper",
        "starc": (
            "dard_distance epic_distance reachable_states reward_norm soundness_constants starc_distance"
        ),
        "stock": "StockDP",
        "stock_baselines": "GeneralisedPolicy StockBlind StockEvaluation open_loop",
        "stock_exact": "StockInduction StockValueIteration",
        "stock_iteration": "StockPolicyIteration classic_reduction",
        "topological": "Topological",
        "value_gradient": (
            "LinearModelFit clipped_gradients fit_linear_model linear_loss mse_loss value_gradient_loss "
            "vaml_loss"
        ),
        "value_iteration": "ValueIteration",
        "variance": "horizon_variance return_variance",
    },
)
