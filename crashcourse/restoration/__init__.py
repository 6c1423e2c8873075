"""Image restoration, one file per idea or paper: lessons 50 to 65.

Images are `(N, C, H, W)` float in [0, 1], RGB or grey, wherever nothing else is said. Noise levels are on the
scale that papers print, where white is 255.
"""

from crashcourse.restoration.baselines import bm3d, non_local_means
from crashcourse.restoration.degradations import (
    bayer_mask,
    degrade_bd,
    degrade_bi,
    degrade_dn,
    jpeg,
    mosaic,
    motion_blur,
    motion_kernel,
    shake_kernel,
)
from crashcourse.restoration.dncnn import DnCNN, dncnn_3, dncnn_b, dncnn_s, merge_batch_norm, residual_loss
from crashcourse.restoration.edsr import EDSR, edsr, edsr_baseline
from crashcourse.restoration.ffdnet import FFDNet, ffdnet
from crashcourse.restoration.inference import self_ensemble, tiled
from crashcourse.restoration.noise import gaussian_noise, poisson_noise, rician_noise
from crashcourse.restoration.pixels import luma, modcrop, quantize, shave
from crashcourse.restoration.quality import ms_ssim, psnr, ssim, ssim_map, super_resolution_scores
from crashcourse.restoration.rcan import RCAN, ChannelAttention, gates_of, rcan
from crashcourse.restoration.resizing import bicubic_resize

__all__ = [
    "EDSR",
    "RCAN",
    "ChannelAttention",
    "DnCNN",
    "FFDNet",
    "bayer_mask",
    "bicubic_resize",
    "bm3d",
    "degrade_bd",
    "degrade_bi",
    "degrade_dn",
    "dncnn_3",
    "dncnn_b",
    "dncnn_s",
    "edsr",
    "edsr_baseline",
    "ffdnet",
    "gates_of",
    "gaussian_noise",
    "jpeg",
    "luma",
    "merge_batch_norm",
    "modcrop",
    "mosaic",
    "motion_blur",
    "motion_kernel",
    "ms_ssim",
    "non_local_means",
    "poisson_noise",
    "psnr",
    "quantize",
    "rcan",
    "residual_loss",
    "rician_noise",
    "self_ensemble",
    "shake_kernel",
    "shave",
    "ssim",
    "ssim_map",
    "super_resolution_scores",
    "tiled",
]
