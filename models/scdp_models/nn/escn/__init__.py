"""The eSCN trunk: messages mixed by SO(2)-equivariant layers in the frame of each edge.

Passaro and Zitnick, "Reducing SO(3) convolutions to SO(2) for efficient equivariant GNNs"
(ICML 2023), as used by Fu et al., "A recipe for charge density prediction" (NeurIPS 2024).
"""
