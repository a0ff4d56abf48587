from gan_toolkit.testing import check_plugin

report = check_plugin("mlp")
print(len(report.outcomes), "promises,", len(report.broken), "broken")
report.raise_if_broken()
