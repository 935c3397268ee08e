"""The numbers of TSSL-BP's rule, from the authors' code, at a threshold of 1.

Source: stonezwr/TSSL-BP, functions/tsslbp.py.
"""

# limit of 1 / rise
STEEPEST = 8.0
# width and cutoff of the slope for silent neurons
WARM_WIDTH = 0.2
WARM_CUT = 8.0
# the fraction of a spike's post-synaptic potential below which a neuron counts as silent
SILENT = 0.25
