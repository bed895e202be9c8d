from sklearn.utils.estimator_checks import parametrize_with_checks
from salience.tabular import MIScreener
@parametrize_with_checks([MIScreener(), MIScreener(method="bin"), MIScreener(method="pearson"), MIScreener(missing="pairwise", k=2)])
def test_it_passes_scikit_learns_checks(estimator, check):
    check(estimator)
